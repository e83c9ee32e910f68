// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The registry of nodes. A node's record is `INSTANCE\nRECORD` with a TTL, and the index has a name on each line: so a
/// daemon needs no more rights than for its locks.
///
/// KEYS: the node's record, if it is about one, and the index. The records of other nodes, whose names are in the index,
/// are touched without being named: all of it is in one slot.
extension Script {
    /// Keeps a record alive or replaces it, unless another daemon's is there.
    static let register = Script(common, index, registerBody)
    /// Deletes a record of ours. Its name goes from the index later.
    static let unregister = Script(common, unregisterBody)
    /// The index, without the names of those that are gone.
    static let nodeNames = Script(common, index, nodeNamesBody)

    /// The names in the index whose records are there, and whether others were.
    private static let index = #"""
        local function living(stem)
            local text = redis.call('GET', KEYS[#KEYS]) or ''
            local names, isWhole = {}, true
            for name in string.gmatch(text, '[^\n]+') do
                if redis.call('PTTL', stem .. name) == -2 then
                    isWhole = false
                else
                    names[#names + 1] = name
                end
            end
            return names, isWhole
        end
        """#

    private static let registerBody = #"""
        local name, stem, instance, predecessor, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
        local whole, record = ARGV[6] == '1', ARGV[7]
        local value = redis.call('GET', KEYS[1])
        local there = value and (string.match(value, '^([^\n]*)\n') or '')
        if there and there ~= instance and (predecessor == '' or there ~= predecessor) then
            return say('taken', there)
        end
        if whole then
            redis.call('SET', KEYS[1], instance .. '\n' .. record, 'PX', ttl)
        elseif there == instance then
            redis.call('PEXPIRE', KEYS[1], ttl)
        else
            return say('unknown')
        end
        local known = redis.call('GET', KEYS[2]) or ''
        if not string.find('\n' .. known .. '\n', '\n' .. name .. '\n', 1, true) then
            -- Nodes with random names come and go: who comes sweeps.
            local names = living(stem)
            names[#names + 1] = name
            redis.call('SET', KEYS[2], table.concat(names, '\n'))
        end
        return {'registered', digits(now)}
        """#

    private static let unregisterBody = #"""
        local value = redis.call('GET', KEYS[1])
        if not value or string.match(value, '^([^\n]*)\n') ~= ARGV[1] then return say('foreign') end
        redis.call('DEL', KEYS[1])
        return {'gone', digits(now)}
        """#

    private static let nodeNamesBody = #"""
        local names, isWhole = living(ARGV[1])
        local text = table.concat(names, '\n')
        -- A full server refuses to write; the names are right all the same.
        if not isWhole then redis.pcall('SET', KEYS[1], text) end
        return say('names', text)
        """#
}
