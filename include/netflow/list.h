/**
 * @file list.h
 * @brief Structured data (RFC 6313): the lists that a field of a record may hold.
 *
 * Open a list on a field of the current record, then pull its elements, and of each its fields:
 * @code
 * nfl_list list = {.struct_size = sizeof list};
 * if (nfl_list_open(&list, parser, NULL, &field, &err) == NFL_OK)
 *     while ((s = nfl_list_next(&list, &err)) != NFL_DONE)
 *         if (s == NFL_OK)
 *             while (nfl_list_next_field(&list, &inner) == NFL_OK) use(&inner);  // may hold a list again
 *         else log(&err);                                        // list.element, list.element_len: as sent
 * @endcode
 * A basicList's element is one field. An element of a subTemplateList or subTemplateMultiList is a record, laid
 * out as the template of the current record's domain says. Nothing is allocated or copied; work is linear in the bytes
 * of a list; lists within lists are bounded by ::NFL_LIST_MAX_DEPTH.
 */
#ifndef NETFLOW_LIST_H
#define NETFLOW_LIST_H

#include <netflow/base.h>
#include <netflow/parser.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Lists within lists that can be opened, the outermost included. */
#define NFL_LIST_MAX_DEPTH 8

/** How the elements of a list relate (RFC 6313 4.4). */
enum {
    NFL_LIST_NONE_OF = 0,       /**< None of the elements is a property of the record. */
    NFL_LIST_EXACTLY_ONE_OF = 1, /**< One is. */
    NFL_LIST_ONE_OR_MORE_OF = 2, /**< One or more are. */
    NFL_LIST_ALL_OF = 3,        /**< All are. */
    NFL_LIST_ORDERED = 4,       /**< All are, in this order. */
    NFL_LIST_UNDEFINED = 255    /**< Not told. */
};

/** A list being read. Allocated by the caller, who sets struct_size; plain data, may be dropped at any time. */
typedef struct nfl_list {
    uint32_t struct_size;  /**< Set by the caller before nfl_list_open(). */
    uint16_t kind;         /**< ::NFL_ELEMENT_BASIC_LIST, _SUB_TEMPLATE_LIST or _SUB_TEMPLATE_MULTI_LIST. */
    uint16_t semantic;     /**< NFL_LIST_*, as sent. */
    uint32_t depth;        /**< 0 = opened on a field of a record. */
    uint32_t field_pen;    /**< basicList: enterprise of its elements. */
    uint16_t field_id;     /**< basicList: id of its elements. */
    uint16_t field_len;    /**< basicList: length of its elements; 65535 = variable. */
    uint16_t template_id;  /**< Template of the current element; 0 in a basicList. */
    uint16_t reserved;     /**< 0. */
    uint32_t element_len;  /**< Bytes of the current element, or of what could not be read. */
    uint32_t field_index;  /**< Private: of the next field. */
    NFL_PTR(const uint8_t *, element); /**< Current element, or what could not be read. Borrowed like the record. */
    NFL_PTR(const uint8_t *, data);    /**< Private: the list. */
    uint32_t len;          /**< Private: of the list. */
    uint32_t pos;          /**< Private: of the next element. */
    uint32_t group_stop;   /**< Private: where the elements of this template end. */
    uint32_t field_pos;    /**< Private: of the next field in the element. */
    NFL_PTR(const nfl_parser *, parser); /**< Private. */
} nfl_list;

/** @return Kind of list that a field holds, as nfl_list::kind, or 0 if it is none. Of elements of the host's own,
 *  nfl_element::type tells it (nfl_parser_describe()). @since 0.1 */
NFL_API uint32_t nfl_list_kind(const nfl_record_field *field);

/**
 * @brief   Open the list that a field holds.
 * @param[out] list  Written only on success.
 * @param   parser   Parser whose current record holds the field. Templates are looked up in the record's domain.
 * @param   within   List that gave the field, or NULL for a field of the record.
 * @param   field    From nfl_parser_field() or nfl_list_next_field().
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK           Pull with nfl_list_next().
 * @retval  NFL_E_ARG        The element is no list, or struct_size is not set.
 * @retval  NFL_E_TRUNCATED  Shorter than its own head.
 * @retval  NFL_E_LIMIT      Deeper than ::NFL_LIST_MAX_DEPTH.
 * \rfc{6313,4.5} \threads{As the parser's.}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_list_open(nfl_list *list, const nfl_parser *parser, const nfl_list *within,
                                              const nfl_record_field *field, nfl_error *err);

/**
 * @brief   Go on to the next element.
 *
 * What cannot be read is reported once, stands in nfl_list::element, and is passed over: the other templates of a
 * subTemplateMultiList, and the rest of the record, are still read.
 *
 * @retval  NFL_OK             Its fields come from nfl_list_next_field().
 * @retval  NFL_DONE           There are no more.
 * @retval  NFL_E_NO_TEMPLATE  Elements of a template that is not known; keep calling.
 * @retval  NFL_E_FORMAT       Elements of 0 bytes, or one that runs past its end; keep calling.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_list_next(nfl_list *list, nfl_error *err);

/**
 * @brief   Next field of the current element.
 * @retval  NFL_OK    *out is set; its data is borrowed like the record.
 * @retval  NFL_DONE  There are no more, or there is no current element.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_list_next_field(nfl_list *list, nfl_record_field *out);

#ifdef __cplusplus
}
#endif
#endif
