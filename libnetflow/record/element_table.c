/* A host's own information elements, out of CSV text (RFC 4180) such as registries have.
 *
 * The text is read twice: once to see that all of it is sound and how much it holds, then into two blocks: the names one
 * behind the other, and a hash table of elements, open addressing, at most half full. An element told twice takes its
 * place again. It does not change after that, so that threads may share it. Limit: TABLE_ELEMENTS. */
#include <netflow/element.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <string.h>

#define TABLE_REVERSE_PEN 29305u /* RFC 5103 6.1 */

enum { TABLE_CELLS = 16, TABLE_ELEMENTS = 65536, TABLE_NAME_MAX = 127 };

enum { TABLE_PEN, TABLE_ID, TABLE_NAME, TABLE_TYPE, TABLE_SEMANTICS, TABLE_COLUMNS };

struct nfl_element_table {
    nfl__memory memory;
    nfl_element *slots; /* name NULL = free */
    size_t slot_count;  /* power of two, or 0 */
    char *names;
    size_t names_len;
    size_t count;
};

typedef struct table_cell {
    const char *text;
    size_t len;
} table_cell;

typedef struct table_reader {
    const char *start;
    const char *pos;
    const char *stop;
    size_t line;      /* of the row being read; the first is 1 */
    size_t next_line; /* of the one behind it */
    table_cell cells[TABLE_CELLS]; /* those beyond are passed over */
    uint32_t cell_count;
    uint32_t columns[TABLE_COLUMNS]; /* cell of each, TABLE_CELLS = none */
    size_t count;                    /* elements read */
    size_t names_len;                /* bytes of their names */
} table_reader;

static nfl_status table_fail(const table_reader *reader, const char *what, const table_cell *cell, nfl_error *err)
{
    int len = cell ? (int)(cell->len < 40 ? cell->len : 40) : 0;
    return nfl__fail(err, NFL_E_SYNTAX, (uint64_t)(reader->pos - reader->start), "line %zu: %s%s%.*s%s", reader->line,
                     what, cell ? " \"" : "", len, cell ? cell->text : "", cell ? "\"" : "");
}

/* A cell in quotes ends at a quote that is not doubled. */
static nfl_status table_read_quoted(table_reader *reader, table_cell *cell, nfl_error *err)
{
    const char *begin = ++reader->pos;
    for (; reader->pos < reader->stop; reader->pos++) {
        reader->next_line += *reader->pos == '\n';
        if (*reader->pos != '"')
            continue;
        if (reader->pos + 1 == reader->stop || reader->pos[1] != '"')
            break;
        reader->pos++;
    }
    if (reader->pos == reader->stop)
        return table_fail(reader, "a quote is not closed", NULL, err);
    *cell = (table_cell){begin, (size_t)(reader->pos - begin)};
    reader->pos++;
    if (reader->pos < reader->stop && !memchr(",\r\n", *reader->pos, 3))
        return table_fail(reader, "text behind a closing quote", NULL, err);
    return NFL_OK;
}

static void table_read_plain(table_reader *reader, table_cell *cell)
{
    const char *begin = reader->pos;
    while (reader->pos < reader->stop && *reader->pos != ',' && *reader->pos != '\n' && *reader->pos != '\r')
        reader->pos++;
    *cell = (table_cell){begin, (size_t)(reader->pos - begin)};
}

/* The cells of the next row; NFL_DONE behind the last. */
static nfl_status table_read_row(table_reader *reader, nfl_error *err)
{
    reader->line = reader->next_line;
    reader->cell_count = 0;
    if (reader->pos == reader->stop)
        return NFL_DONE;
    for (;;) {
        table_cell cell;
        if (reader->pos < reader->stop && *reader->pos == '"')
            NFL_TRY(table_read_quoted(reader, &cell, err));
        else
            table_read_plain(reader, &cell);
        if (reader->cell_count < TABLE_CELLS)
            reader->cells[reader->cell_count++] = cell;
        if (reader->pos == reader->stop || *reader->pos != ',')
            break;
        reader->pos++;
    }
    while (reader->pos < reader->stop && *reader->pos == '\r')
        reader->pos++;
    if (reader->pos < reader->stop && *reader->pos == '\n')
        reader->pos++;
    reader->next_line++;
    return NFL_OK;
}

/* Empty lines, and comments as some lists have them. */
static int table_is_void(const table_reader *reader)
{
    const table_cell *first = &reader->cells[0];
    return first->len ? *first->text == '#' || *first->text == ';' : reader->cell_count == 1;
}

static int table_same(const table_cell *cell, const char *word)
{
    if (cell->len != strlen(word))
        return 0;
    for (size_t i = 0; i < cell->len; i++) {
        unsigned char a = (unsigned char)cell->text[i], b = (unsigned char)word[i];
        a = (unsigned char)(a >= 'A' && a <= 'Z' ? a | 0x20 : a);
        b = (unsigned char)(b >= 'A' && b <= 'Z' ? b | 0x20 : b);
        if (a != b)
            return 0;
    }
    return 1;
}

static const struct {
    const char *title;
    uint32_t column;
} table_titles[] = {
    {"pen", TABLE_PEN},       {"ie", TABLE_ID},         {"id", TABLE_ID},         {"elementId", TABLE_ID},
    {"name", TABLE_NAME},     {"type", TABLE_TYPE},     {"dataType", TABLE_TYPE}, {"semantics", TABLE_SEMANTICS},
};

/* Titles in the first row; or none, and the columns stand as in pen,id,name,type,semantics. 1 = there were titles. */
static int table_read_titles(table_reader *reader)
{
    for (uint32_t i = 0; i < TABLE_COLUMNS; i++)
        reader->columns[i] = TABLE_CELLS;
    for (uint32_t i = 0; i < reader->cell_count; i++)
        for (size_t j = 0; j < sizeof table_titles / sizeof *table_titles; j++)
            if (table_same(&reader->cells[i], table_titles[j].title))
                reader->columns[table_titles[j].column] = i;
    if (reader->columns[TABLE_ID] < TABLE_CELLS && reader->columns[TABLE_NAME] < TABLE_CELLS)
        return 1;
    for (uint32_t i = 0; i < TABLE_COLUMNS; i++)
        reader->columns[i] = i;
    return 0;
}

static table_cell table_cell_of(const table_reader *reader, uint32_t column)
{
    uint32_t i = reader->columns[column];
    return i < reader->cell_count ? reader->cells[i] : (table_cell){"", 0};
}

static int table_number(const table_cell *cell, uint32_t most, uint32_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < cell->len; i++) {
        if (cell->text[i] < '0' || cell->text[i] > '9')
            return 0;
        value = value * 10 + (uint64_t)(cell->text[i] - '0');
        if (value > most)
            return 0;
    }
    *out = (uint32_t)value;
    return cell->len > 0;
}

/* Printable ASCII that needs no escapes anywhere. */
static int table_is_name(const table_cell *cell)
{
    for (size_t i = 0; i < cell->len; i++)
        if (cell->text[i] < 0x20 || cell->text[i] > 0x7e || cell->text[i] == '"' || cell->text[i] == '\\')
            return 0;
    return cell->len > 0 && cell->len <= TABLE_NAME_MAX;
}

/* Lists of vendors have types of their own: these, and none, are octets. */
static uint8_t table_type(const table_cell *cell)
{
    for (uint8_t type = 0; type <= NFL_ELEMENT_U256; type++)
        if (table_same(cell, nfl_element_type_name(type)))
            return type;
    return NFL_ELEMENT_OCTETS;
}

static uint8_t table_semantics(const table_cell *cell)
{
    static const char *const names[] = {"default",    "quantity", "totalCounter", "deltaCounter", "identifier",
                                        "flags",      "list",     "snmpCounter",  "snmpGauge"};
    for (uint8_t i = 0; i < sizeof names / sizeof *names; i++)
        if (table_same(cell, names[i]))
            return i;
    return NFL_SEMANTICS_DEFAULT;
}

/* The element of the current row, its name apart; NFL_DONE when it tells none. */
static nfl_status table_read_element(const table_reader *reader, nfl_element *element, table_cell *name,
                                     nfl_error *err)
{
    table_cell pen = table_cell_of(reader, TABLE_PEN), id = table_cell_of(reader, TABLE_ID);
    table_cell type = table_cell_of(reader, TABLE_TYPE), semantics = table_cell_of(reader, TABLE_SEMANTICS);
    uint32_t enterprise = 0, number = 0;
    if (reader->columns[TABLE_PEN] == TABLE_CELLS && type.len == 0)
        return NFL_DONE; /* IANA's list has rows for what is not assigned */
    if (reader->columns[TABLE_PEN] < TABLE_CELLS && !table_number(&pen, UINT32_MAX, &enterprise))
        return table_fail(reader, "no enterprise number:", &pen, err);
    if (!table_number(&id, UINT16_MAX, &number))
        return table_fail(reader, "no element number:", &id, err);
    *name = table_cell_of(reader, TABLE_NAME);
    if (!table_is_name(name))
        return table_fail(reader, "no name of 1 to 127 printable characters:", name, err);
    if (enterprise == TABLE_REVERSE_PEN)
        return NFL_DONE; /* the forward element tells */
    memset(element, 0, sizeof *element);
    element->pen = enterprise;
    element->id = (uint16_t)number;
    element->type = table_type(&type);
    element->semantics = table_semantics(&semantics);
    return NFL_OK;
}

static nfl_element *table_slot(const nfl_element_table *table, uint32_t pen, uint16_t id)
{
    size_t mask = table->slot_count - 1, i = (size_t)nfl__hash_u64((uint64_t)pen << 16 | id, 0) & mask;
    while (table->slots[i].name && (table->slots[i].pen != pen || table->slots[i].id != id))
        i = (i + 1) & mask;
    return &table->slots[i];
}

static void table_add(nfl_element_table *table, table_reader *reader, const nfl_element *element,
                      const table_cell *name)
{
    nfl_element *slot = table_slot(table, element->pen, element->id);
    char *text = table->names + reader->names_len;
    table->count += slot->name == NULL;
    memcpy(text, name->text, name->len);
    text[name->len] = 0;
    *slot = *element;
    slot->name = text;
}

/* All rows; into the table if there is one, which has room for them. */
static nfl_status table_read(table_reader *reader, const char *text, size_t len, nfl_element_table *table,
                             nfl_error *err)
{
    static const char mark[3] = "\xef\xbb\xbf"; /* UTF-8, as some editors say */
    nfl_status status;
    int first = 1;
    memset(reader, 0, sizeof *reader);
    reader->start = text;
    reader->pos = len >= sizeof mark && memcmp(text, mark, sizeof mark) == 0 ? text + sizeof mark : text;
    reader->stop = text + len;
    reader->next_line = 1;
    while ((status = table_read_row(reader, err)) == NFL_OK) {
        nfl_element element;
        table_cell name = {0};
        if (table_is_void(reader) || (first && (first = 0, table_read_titles(reader))))
            continue;
        status = table_read_element(reader, &element, &name, err);
        if (status < 0)
            return status;
        if (status == NFL_DONE)
            continue;
        if (reader->count == TABLE_ELEMENTS)
            return nfl__fail(err, NFL_E_LIMIT, (uint64_t)(reader->pos - text), "line %zu: more than %d elements",
                             reader->line, TABLE_ELEMENTS);
        if (table)
            table_add(table, reader, &element, &name);
        reader->count++;
        reader->names_len += name.len + 1;
    }
    return status;
}

/* Memory for what the reader has counted. 0 when there is none. */
static int table_reserve(nfl_element_table *table, const table_reader *counted)
{
    size_t slots = 1;
    while (slots < counted->count * 2)
        slots *= 2;
    table->slots = nfl__new(&table->memory, slots, sizeof *table->slots);
    table->slot_count = table->slots ? slots : 0;
    table->names = nfl__new(&table->memory, counted->names_len + 1, 1);
    table->names_len = table->names ? counted->names_len + 1 : 0;
    return table->slots && table->names;
}

nfl_status nfl_element_table_load(const void *data, size_t len, const nfl_alloc *alloc, nfl_element_table **out,
                                  nfl_error *err)
{
    const char *text = len ? data : "";
    table_reader reader;
    nfl__memory memory;
    NFL_TRY(table_read(&reader, text, len, NULL, err));
    nfl__memory_init(&memory, alloc, 0);
    nfl_element_table *table = nfl__new(&memory, 1, sizeof *table);
    if (!table)
        return nfl__fail_nomem(err, sizeof *table);
    table->memory = memory;
    if (!table_reserve(table, &reader)) {
        nfl_element_table_free(table);
        return nfl__fail_nomem(err, reader.count * 2 * sizeof *table->slots + reader.names_len);
    }
    nfl_status status = table_read(&reader, text, len, table, err);
    if (status < 0) { /* it was sound before */
        nfl_element_table_free(table);
        return status;
    }
    *out = table;
    return NFL_OK;
}

void nfl_element_table_free(nfl_element_table *table)
{
    if (!table)
        return;
    nfl__delete(&table->memory, table->slots, table->slot_count, sizeof *table->slots);
    nfl__delete(&table->memory, table->names, table->names_len, 1);
    nfl__memory memory = table->memory;
    nfl__delete(&memory, table, 1, sizeof *table);
}

const nfl_element *nfl_element_table_find(const nfl_element_table *table, uint32_t pen, uint16_t id)
{
    if (table && table->slot_count) {
        const nfl_element *own = table_slot(table, pen == TABLE_REVERSE_PEN ? 0 : pen, id);
        if (own->name)
            return own;
    }
    return nfl_element_find(pen, id);
}

size_t nfl_element_table_count(const nfl_element_table *table)
{
    return table->count;
}

size_t nfl_element_table_memory(const nfl_element_table *table)
{
    return table->memory.held;
}
