// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A Lua script: one atomic step on the server.
///
/// Every script answers with an array: a word that says what happened, the server's time in microseconds, and what
/// belongs to the word. Large numbers travel as text: Lua would print `1.79e+15`. A key that a script touches is among
/// its KEYS: 1 lock, 2 fence, 3 epoch, 4 holder, 5 mark (or the lock alone, when the companions are not in use),
/// and with a ledger 6 ledger, 7 history.
struct Script: Sendable {
    let text: [UInt8]
    /// What `EVALSHA` names it by.
    let digest: [UInt8]

    init(_ parts: String...) {
        text = [UInt8](parts.joined(separator: "\n").utf8)
        digest = [UInt8](sha1(text).utf8)
    }

    /// Grants the lock, or says why not (rules S1, S2, S3, S4, S6, S7).
    static let acquire = Script(common, epoch, noClaim, acquireBody)
    /// Renews, extends, puts back a vanished lock of ours, or swaps its token (rules S5, S6, N3).
    static let renew = Script(common, epoch, noRun, renewBody)
    /// Deletes the lock if it is ours, with its companions, and announces it (rule S9).
    static let release = Script(common, noOutcome, releaseBody)
    /// Shows a lock and its companions, all of one instant.
    static let look = Script(common, noLedger, lookBody)
    /// Replaces or removes the mark, and announces it.
    static let mark = Script(common, markBody)
    /// Sets a mark that somebody remembers, if there is none and the store does not know its own past (rule S3).
    static let restore = Script(common, epoch, restoreBody)

    /// The clock, numbers as text, and the end of every answer that a replica must not give: a stale copy of the lock
    /// says "no" without any write. So a write that changes nothing is tried first, which only a replica refuses.
    static let common = """
        local clock = redis.call('TIME')
        local now = clock[1] * 1000000 + clock[2]
        local function digits(n) return string.format('%.0f', n) end
        local function say(word, ...)
            local tried = redis.pcall('HDEL', KEYS[#KEYS], '')
            if type(tried) == 'table' and tried.err and string.find(tried.err, 'READONLY', 1, true) then return tried end
            return {word, digits(now), ...}
        end
        local function ownerToken(record)
            return record and string.match(record, '^[^:]*:[^:]*:(.*)$')
        end
        local function announce() redis.pcall('PUBLISH', KEYS[1], '') end
        local function setMark(kind, remaining, failures, by)
            local till = remaining == '' and '' or digits(now + tonumber(remaining))
            redis.call('DEL', KEYS[5])
            redis.call('HSET', KEYS[5], 'kind', kind, 'until', till, 'failures', failures, 'by', by, 'from', digits(now))
        end
        -- How much is left of a mark that was read here. One that begins later than now was set before the clock was
        -- put back: its time begins again.
        local function markLeft(till, from)
            if till == '' then return false end
            return tonumber(till) - (from and now < tonumber(from) and tonumber(from) or now)
        end
        """

    /// The epoch record against the server's identity, both read in this very step. Returns a word when the identity
    /// cannot be read; otherwise nil, the nonce ('' when the store is settled), the recorded max_lock_timeout, and what
    /// writes the record if it has to be: a request that is refused changes nothing.
    static let epoch = """
        local function epoch(random, max)
            local replication, server = redis.pcall('INFO', 'replication'), redis.pcall('INFO', 'server')
            if type(replication) ~= 'string' or type(server) ~= 'string' then return 'blind' end
            local data = string.match(replication, 'master_replid:(%x+)')
            local process = string.match(server, 'run_id:(%x+)')
            if not data or not process then return 'blind' end
            local identity = data .. ' ' .. process
            local record = redis.call('HMGET', KEYS[3], 'identity', 'nonce', 'max')
            local recorded = record[3] or max
            if record[1] == identity and record[2] and record[3] then return nil, record[2], recorded, function() end end
            return nil, random, recorded, function()
                redis.call('HSET', KEYS[3], 'identity', identity, 'nonce', random, 'max', recorded)
            end
        end
        """

    /// In this order: late, refused, unsettled, ours already, marked, held, orphaned, not by the ledger, granted. Who has
    /// to wait leaves the largest fence and tick that they know of: whoever is granted first may never have seen them.
    static let acquireBody = """
        local token, fresh, ttl, notAfter, guard = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4], ARGV[5] == '1'
        local presented, claim, max, random = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
        local wantsFence, floor, withHolder, holder = ARGV[10] == '1', tonumber(ARGV[11]), ARGV[12] == '1', ARGV[13]
        local heedsMarks = ARGV[14] == '1'

        if notAfter ~= '' and now > tonumber(notAfter) then return say('late') end
        local value, last = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
        local ours, fence = fresh and value == token, tonumber(last or '0') or 0
        local least = leastFence(floor)
        local nextFence = wantsFence and not (ours and fence > least) and math.max(fence + 1, now, least + 1)
        -- 2^53: n + 1 may be n from here on.
        if nextFence and nextFence >= 9007199254740992 then return say('spent') end
        if guard then
            local recorded = redis.call('HGET', KEYS[3], 'max')
            if recorded and recorded ~= max then return say('misfit', recorded) end
            local word, nonce, _, remember = epoch(random, max)
            if word then return say(word) end
            remember()
            if nonce ~= '' then
                if presented ~= nonce then
                    if wantsFence and fence < floor then redis.call('SET', KEYS[2], digits(floor)) end
                    noteFloor()
                    return say('unsettled', nonce, max)
                end
                redis.call('HSET', KEYS[3], 'nonce', '')
            end
        end

        local failures, marked = '0', false
        if heedsMarks and not ours then
            local mark = redis.call('HMGET', KEYS[5], 'kind', 'until', 'failures', 'by', 'from')
            if mark[1] then
                local left = markLeft(mark[2], mark[5])
                if left and mark[5] and now < tonumber(mark[5]) then
                    redis.call('HSET', KEYS[5], 'until', digits(now + left), 'from', digits(now))
                end
                if not left or left > 0 then
                    return say('marked', mark[1], left and digits(left) or '', mark[3], mark[4])
                end
                failures, marked = mark[3], true
            end
        end

        local owner = guard and redis.call('HGET', KEYS[3], 'o:' .. KEYS[1])
        -- Whose clock was put back keeps a key for longer than the lease lasts.
        local over = owner and owner == claim and ownerToken(owner) == value
        if value and not ours and not over then return say('held', redis.call('PTTL', KEYS[1]), owner, last) end
        if not value and owner and ownerToken(owner) ~= token and owner ~= claim then
            return say('orphaned', owner, last)
        end
        local against = objection(ours or not value and ownerToken(owner) == token, math.max(fence, floor))
        if against then return against end

        if nextFence then
            fence = nextFence
            redis.call('SET', KEYS[2], digits(fence))
        end
        enterClaim(fence)
        if ours then
            local record = redis.call('HMGET', KEYS[4], 'token', 'failures')
            failures = record[1] == token and record[2] or '0'
        end
        if withHolder then
            redis.call('DEL', KEYS[4])
            redis.call('HSET', KEYS[4], 'token', token, 'info', holder, 'failures', failures)
        end
        if guard then redis.call('HSET', KEYS[3], 'o:' .. KEYS[1], random .. ':' .. ttl .. ':' .. token) end
        if marked then redis.call('DEL', KEYS[5]) end
        if ttl == '' then
            redis.call('SET', KEYS[1], token)
        else
            redis.call('SET', KEYS[1], token, 'PX', ttl)
        end
        return {'granted', digits(now), digits(fence), failures}
        """

    /// A token that is neither ours nor our successor's never renews. The first write is one that a server without
    /// memory still carries out, so that a full server does not cost anybody a lease.
    static let renewBody = """
        local token, adds, amount, notAfter = ARGV[1], ARGV[2] == 'add', tonumber(ARGV[3]), ARGV[4]
        local guard, max, random, fence = ARGV[5] == '1', ARGV[6], ARGV[7], ARGV[8]
        local heir, withHolder, holder = ARGV[9] ~= '' and ARGV[9] or token, ARGV[10] == '1', ARGV[11]

        local value = redis.call('GET', KEYS[1])
        local unsettled, remember = false, function() end
        if guard then
            local word, nonce, recorded, write = epoch(random, max)
            if word then return say(word) end
            unsettled, max, remember = nonce ~= '', recorded, write
        end
        local function no(word)
            remember()
            return say(word)
        end

        local left
        if value == token or value == heir then
            left = redis.call('PTTL', KEYS[1])
            if adds and left < 0 then return no('lost') end
        elseif not value and guard and notAfter ~= '' and now <= tonumber(notAfter) then
            local owner = ownerToken(redis.call('HGET', KEYS[3], 'o:' .. KEYS[1]))
            if not unsettled and owner ~= token and owner ~= heir then return no('lost') end
            left = math.floor((tonumber(notAfter) - now) / 1000)
        else
            return no(unsettled and 'unsettled' or 'lost')
        end

        local ttl = adds and left + amount or amount
        if ttl <= 0 then return say('nothing') end
        if guard and ttl > tonumber(max) then return say('excess', max) end
        remember()
        ttl = digits(ttl)
        local last = fence ~= '0' and redis.call('GET', KEYS[2])
        local recorded = withHolder and redis.call('HGET', KEYS[4], 'token')

        if value == heir then
            redis.call('PEXPIRE', KEYS[1], ttl)
        else
            redis.call('DEL', KEYS[1])
            redis.call('SET', KEYS[1], heir, 'PX', ttl)
        end
        if guard then redis.call('HSET', KEYS[3], 'o:' .. KEYS[1], random .. ':' .. ttl .. ':' .. heir) end
        if fence ~= '0' and (tonumber(last or '0') or 0) < tonumber(fence) then redis.call('SET', KEYS[2], fence) end
        learnRun()
        if withHolder and recorded ~= heir then
            -- Of a run that goes on, the failures before it stay.
            if recorded ~= token then redis.call('DEL', KEYS[4]) end
            redis.call('HSET', KEYS[4], 'token', heir, 'info', holder)
        end
        return {'renewed', digits(now), ttl}
        """

    /// Ours is a lock with our token, or a vanished one that we never released. An operator's mark stays in force.
    static let releaseBody = """
        local token, guard, marks = ARGV[1], ARGV[2] == '1', ARGV[3] == '1'
        local value = redis.call('GET', KEYS[1])
        local owner = guard and ownerToken(redis.call('HGET', KEYS[3], 'o:' .. KEYS[1]))
        if value == token then redis.call('DEL', KEYS[1]) end
        if guard then
            if owner == token or value == token then redis.call('HDEL', KEYS[3], 'o:' .. KEYS[1]) end
            if redis.call('HGET', KEYS[4], 'token') == token then redis.call('DEL', KEYS[4]) end
        end
        conclude()
        if value ~= token and (value or owner ~= token) then return say('foreign') end
        local standing = (guard or marks) and redis.call('HGET', KEYS[5], 'kind')
        -- It was about this run.
        if guard and standing == 'ended' then
            redis.call('DEL', KEYS[5])
            standing = false
        end
        if marks and (not standing or standing == 'finished' or standing == 'cooling'
            or standing == 'paused' and ARGV[4] == 'finished') then
            setMark(ARGV[4], ARGV[5], ARGV[6], ARGV[7])
        end
        announce()
        return {'released', digits(now)}
        """

    static let lookBody = """
        local value, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
        local holder = redis.call('HMGET', KEYS[4], 'token', 'info')
        local mark = redis.call('HMGET', KEYS[5], 'kind', 'until', 'failures', 'by', 'from')
        local last = redis.call('GET', KEYS[2])
        local remaining = ''
        if mark[1] and mark[2] ~= '' then
            remaining = digits(markLeft(mark[2], mark[5]))
            if tonumber(remaining) <= 0 then mark[1] = false end
        end
        return say('seen', value, left, holder[1], holder[2], last, mark[1], remaining, mark[3], mark[4],
            ledgerParts())
        """

    private static let restoreBody = """
        local word, nonce = epoch('?', '')
        if word then return say(word) end
        if nonce == '' or redis.call('HGET', KEYS[5], 'kind') then return say('known') end
        -- What runs was started after that mark was cleared.
        if (ARGV[2] == 'down' or ARGV[2] == 'finished') and redis.call('GET', KEYS[1]) then return say('known') end
        setMark(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
        announce()
        return {'done', digits(now)}
        """

    private static let markBody = """
        -- One that is over stays in place of one that was cleared: nobody who remembers that puts it back.
        if ARGV[1] == '1' then setMark(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) else setMark('cooling', '0', '0', '') end
        announce()
        return {'done', digits(now)}
        """
}
