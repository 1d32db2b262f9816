-- The Lua module as a script writer uses it.
local netflow = require("netflow")
local data = os.getenv("NETFLOW_DATA")
local exports = data .. "/exports.pcap"
local ran = 0

local function test(name, f)
    local ok, message = pcall(f)
    if not ok then
        print("FAIL " .. name .. ": " .. tostring(message))
        os.exit(1)
    end
    ran = ran + 1
end

local function equal(got, want)
    if got ~= want then error("got " .. tostring(got) .. ", want " .. tostring(want), 2) end
end

local function fails(f, pattern)
    local ok, message = pcall(f)
    if ok then error("expected an error", 2) end
    if not tostring(message):find(pattern) then error("unexpected error: " .. tostring(message), 2) end
end

local function a_flow(fields)
    local flow = netflow.Flow()
    local defaults = {first = "2026-11-23T10:00:00Z", last = "2026-11-23T10:00:01Z", received = "2026-11-23T10:00:02Z",
                      src = "192.0.2.1", dst = "198.51.100.2", src_port = "40000", dst_port = "443", proto = "6",
                      bytes = "1500", packets = "3", flows = "1"}
    for name, text in pairs(fields or {}) do defaults[name] = text end
    for name, text in pairs(defaults) do flow:set(name, text) end
    return flow
end

test("open yields every flow", function()
    local n, bytes = 0, 0
    for flow in netflow.open(exports) do
        n = n + 1
        bytes = bytes + flow:get("bytes")
    end
    equal(n, 164)
    equal(bytes, 4391319)
    equal(math.type(bytes), "integer")
end)

test("open takes a filter", function()
    for flow in netflow.open(exports, "proto udp and port 53") do equal(flow:get("proto"), 17) end
    fails(function() netflow.open(exports, "src ip nonsense") end, "nonsense")
    fails(function() netflow.open(data .. "/none") end, "none")
end)

test("absent fields are nil, large counters stay integers", function()
    local flow = a_flow({bytes = "9007199254740993"})
    equal(flow:get("bytes"), 9007199254740993)
    equal(flow:get("nat_src"), nil)
    equal(flow:get("src"), "192.0.2.1")
    fails(function() flow:get("no_such_field") end, "no such field")
end)

test("what the encoder writes the parser reads", function()
    local encoder, parser = netflow.Encoder(10, 3), netflow.Parser()
    local now = 1795440000000000
    equal(encoder:add(a_flow(), now), true)
    parser:feed("203.0.113.9", now, encoder:take(now))
    equal(encoder:take(now), nil)
    local n = 0
    for flow in netflow.flows(parser) do
        n = n + 1
        equal(flow:get("domain"), 3)
    end
    equal(n, 1)
    fails(function() parser:feed("203.0.113.9", now, "x") end, "")
    equal(parser:name(a_flow({in_if = "7"}), "in_if"), nil)
    equal(encoder:add_name("in_if", 7, "eth0", now), true)
    equal(encoder:add(a_flow({in_if = "7"}), now), true)
    parser:feed("203.0.113.9", now, encoder:take(now))
    for flow in netflow.flows(parser) do equal(parser:name(flow, "in_if"), "eth0") end
    fails(function() encoder:add_name("bytes", 7, "eth0", now) end, "no names")
    fails(function() parser:name(a_flow(), "bytes") end, "no names")
end)

test("a store answers", function()
    local path = os.tmpname()
    os.remove(path)
    local store = netflow.Store(path, true)
    for flow in netflow.open(exports) do store:append(flow) end
    store:sync()
    equal(store:count(), 164)
    local last, n = math.maxinteger, 0
    for row in netflow.query(store, {group_by = "src", limit = 3}) do
        n = n + 1
        assert(row.bytes <= last)
        last = row.bytes
    end
    equal(n, 3)
    local listed = {hosts = {"192.0.2.11", "198.51.100.0/24"}, web = {80, "https"}}
    local one, other = 0, 0
    for _ in netflow.query(store, {filter = "src in @hosts and port in @web", lists = listed}) do one = one + 1 end
    for _ in netflow.query(store, {filter = "src in [192.0.2.11 198.51.100.0/24] and port in [80 443]"}) do other = other + 1 end
    assert(one == other and one > 0)
    fails(function() netflow.query(store, {filter = "src in @nobody", lists = listed}) end, "nobody")
    fails(function() netflow.query(store, {group_by = "nonsense"}) end, "nonsense")
    local once = 0
    for row in netflow.query(store, {group_by = "proto", unique = true}) do once = once + row.flows end
    equal(once, 164)
    for row in netflow.query(store, {group_by = "version", columns = "distinct(src)", approximate = true}) do assert(row["distinct(src)"] > 0) end
    fails(function() netflow.query(store, {group_by = "src", max_rows = 100})() end, "100 rows")
    local talks = 0
    for row in netflow.query(store, {columns = "reverse_bytes", biflow = true}) do talks = talks + 1 end
    assert(talks > 0 and talks < 164)
    local rows = netflow.query(store, {columns = "src"})
    store = nil
    collectgarbage()
    n = 0
    for _ in rows do n = n + 1 end
    equal(n, 164)
    os.execute("rm -r '" .. path .. "'")
end)

test("a sketch lists heavy keys", function()
    local top = netflow.TopK(64, 1)
    for i = 0, 99 do top:_add(string.char(i), i == 5 and 1000 or 1) end
    local first = top:_list(1)[1]
    equal(first.key, string.char(5))
    assert(first.weight - first.max_error <= 1000 and 1000 <= first.weight)
end)

test("a watch finds a scan", function()
    local watch = netflow.Watch()
    for port = 1, 100 do
        local at = tostring(1795440000 + port)
        watch:feed(a_flow({first = at, last = at, received = at, src = "203.0.113.5", dst = "10.0.0.9", dst_port = tostring(port),
                           tcp_flags = "2", packets = "1"}))
        watch:feed(a_flow({first = at, last = at, received = at, src = "10.0.0.9", dst = "203.0.113.5", src_port = tostring(port),
                           dst_port = "40000", tcp_flags = "20", packets = "1"}))
    end
    watch:flush()
    local found
    for finding in netflow.findings(watch) do found = found or finding.detector == "scan_vertical" and finding end
    assert(found, "no finding")
    equal(found.entity, "203.0.113.5")
end)

print(ran .. " passed")
