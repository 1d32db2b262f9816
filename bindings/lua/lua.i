/* Lua: errors are raised as text, addresses are text, times are integers (microseconds since 1970), absent is nil. */
%{
static void binding_push_value(lua_State *L, const nfl_value *value)
{
    char text[NFL_VALUE_TEXT_SIZE];
    if (!value->present) {
        lua_pushnil(L);
        return;
    }
    switch (value->kind) {
    case NFL_KIND_DURATION:
        lua_pushnumber(L, (lua_Number)(int64_t)value->u64 / 1e6);
        break;
    case NFL_KIND_ADDRESS:
    case NFL_KIND_MAC:
    case NFL_KIND_APP:
    case NFL_KIND_COUNTRY:
        nfl_value_format(value, NFL_TEXT_PLAIN, text, sizeof text);
        lua_pushstring(L, text);
        break;
    default:
        lua_pushinteger(L, (lua_Integer)value->u64);
        break;
    }
}
%}
/* Lua 5.3 and later have 64-bit integers; SWIG would make them doubles. */
%typemap(out) uint64_t, int64_t, nfl_usec, size_t { lua_pushinteger(L, (lua_Integer)$1); SWIG_arg++; }
%typemap(in, checkfn="lua_isnumber") uint64_t, int64_t, nfl_usec, size_t { $1 = ($1_ltype)luaL_checkinteger(L, $input); }

%typemap(in, numinputs=0) nfl_error *err (nfl_error e) {
    memset(&e, 0, sizeof e);
    $1 = &e;
}
%typemap(argout) nfl_error *err {
    if ($1->code < 0) {
        lua_pushstring(L, $1->message);
        SWIG_fail;
    }
}
%typemap(out) nfl_status ""
%typemap(in, checkfn="lua_isstring") (const void *data, size_t len) {
    size_t n;
    $1 = (void *)lua_tolstring(L, $input, &n);
    $2 = n;
}
%typemap(in, checkfn="lua_isstring") const nfl_ip *exporter (nfl_ip ip) {
    nfl_error e;
    if (nfl_ip_parse(lua_tostring(L, $input), &ip, &e) < 0) {
        lua_pushstring(L, e.message);
        SWIG_fail;
    }
    $1 = &ip;
}
%typemap(in, checkfn="lua_isnil_or_string") const char * { $1 = (char *)lua_tostring(L, $input); }
%{
static int lua_isnil_or_string(lua_State *L, int i)
{
    return lua_isnil(L, i) || lua_isstring(L, i);
}
%}
%typemap(out) nfl_value {
    binding_push_value(L, &$1);
    SWIG_arg++;
}
%typemap(out) binding_bytes {
    if ($1.data)
        lua_pushlstring(L, (const char *)$1.data, $1.len);
    else
        lua_pushnil(L);
    SWIG_arg++;
}
%typemap(out) binding_topk_items {
    lua_newtable(L);
    for (size_t i = 0; i < $1.count; i++) {
        lua_newtable(L);
        lua_pushlstring(L, (const char *)$1.items[i].key, $1.key_len);
        lua_setfield(L, -2, "key");
        lua_pushinteger(L, (lua_Integer)$1.items[i].weight);
        lua_setfield(L, -2, "weight");
        lua_pushinteger(L, (lua_Integer)$1.items[i].max_error);
        lua_setfield(L, -2, "max_error");
        lua_pushboolean(L, $1.items[i].certain != 0);
        lua_setfield(L, -2, "certain");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    free($1.items);
    SWIG_arg++;
}
