/* What makes the classes feel like Lua: closures for `for`, tables for queries. Loaded when the module is. */
%luacode {
local function iterator(object)
    return function() return object:_next() end
end

-- for flow in netflow.open("capture.pcap", "dst port 443") do print(flow:get("src")) end
function netflow.open(path, filter)
    local reader = netflow.Reader(path, filter)
    return function() return reader:_next() end
end

-- Flows of the datagram fed last.
function netflow.flows(parser)
    return iterator(parser)
end

-- New findings of a watch.
function netflow.findings(watch)
    return iterator(watch)
end

-- Lists for `src in @name` in the filter: {lists = {name = {"192.0.2.1", "198.51.100.0/24"}}}
local function list_text(lists)
    local lines = {}
    for name, values in pairs(lists or {}) do
        lines[#lines + 1] = "@" .. name
        for _, value in ipairs(values) do lines[#lines + 1] = tostring(value) end
    end
    return #lines > 0 and table.concat(lines, "\n") .. "\n" or nil
end

-- for row in netflow.query(store, {group_by = "src", limit = 10}) do print(row.src, row.bytes) end
function netflow.query(store, q)
    q = q or {}
    local cursor = store:_query(q.filter, q.group_by, q.columns, q.order_by, q.since or 0, q.until_ or 0,
                                q.bucket or 0, q.limit or 0, q.offset or 0, q.ascending or false, q.now or 0, list_text(q.lists),
                                q.having, q.fill or false, q.after, q.spread or false, q.unique or false, q.biflow or false,
                                q.approximate or false, q.max_rows or 0, math.floor((q.timeout or 0) * 1000000))
    local names = {}
    for i = 0, cursor:_width() - 1 do names[i] = cursor:_name(i) end
    return function()
        if not cursor:_next() then return nil end
        local row = {}
        for i, name in pairs(names) do row[name] = cursor:_value(i) end
        return row
    end
end
}
