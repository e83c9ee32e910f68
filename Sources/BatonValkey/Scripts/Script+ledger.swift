// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Ledgers of scheduled jobs (rule S8), as ``Ledger`` has them. KEYS[6] is the ledger: a hash with the entry, the largest
/// tick that was remembered while the store did not know its own past (`floor`), and the last run that was asked for
/// (`asked`, `by`, `call`, `pending`). KEYS[7] is the history, a list whose first line is the newest.
///
/// The scripts of locks are the same with and without a ledger, but for what they call: without one that does nothing,
/// and its keys are not named.
extension Script {
    /// ``acquire`` with a claim.
    static let acquireRun = Script(common, epoch, ledger, unbroken, claiming, acquireBody)
    /// ``renew`` with the run that the lock is held for.
    static let renewRun = Script(common, epoch, ledger, learning, renewBody)
    /// ``release`` with the run's outcome.
    static let releaseRun = Script(common, ledger, unbroken, concluding, releaseBody)
    /// ``look`` with the ledger.
    static let lookAtRun = Script(common, ledger, unbroken, lookBody)
    /// Opens a ledger, keeps what is remembered of it, or settles ticks.
    static let settle = Script(common, epoch, ledger, unbroken, settleBody)
    /// Remembers that an operator wants a run, and announces it.
    static let ask = Script(common, ledger, unbroken, askBody)
    /// The newest lines of a history.
    static let history = Script(common, "return say('lines', redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1))")

    static let noClaim = """
        local function leastFence(floor) return floor end
        local function noteFloor() end
        local function objection() end
        local function enterClaim() end
        """
    static let noRun = "local function learnRun() end"
    static let noOutcome = "local function conclude() end"
    static let noLedger = "local function ledgerParts() end"

    /// The ledger as it is, and what may be done to it. What was spoilt reads as absent; a key of another type is an
    /// error (`broken`), before anything is done.
    private static let ledger = """
        local fields = redis.pcall('HMGET', KEYS[6], 'tick', 'attempt', 'manual', 'fence', 'changed', 'outcome', 'info',
            'floor', 'asked', 'by', 'call', 'pending')
        local runs = KEYS[7] and redis.pcall('LLEN', KEYS[7])
        local broken = fields.err and fields or type(runs) == 'table' and runs
        if broken then fields = {} end

        local function number(text, most)
            local n = text and string.match(text, '^%d+$') and tonumber(text)
            return n and n <= (most or 9007199254740991) and n or nil
        end
        local function sound(e)
            return e.tick and e.attempt and e.fence and e.changed and (e.manual or not fields[3])
                and (not e.outcome or #e.outcome >= 1 and #e.outcome <= 64) and e.info and #e.info <= 1024
        end
        local entry = {
            tick = number(fields[1], 253402300799), attempt = number(fields[2], 1000000), manual = number(fields[3]),
            fence = number(fields[4]), changed = number(fields[5]), outcome = fields[6] or nil, info = fields[7],
        }
        if not sound(entry) then entry = nil end
        local floor, asked = number(fields[8]) or 0, fields[10] and fields[11] and number(fields[9])
        local pending = asked and fields[12] == '1'

        local function key()
            return string.format('%.0f:%.0f:%.0f:%d', entry.tick, entry.attempt, entry.fence, entry.outcome and 1 or 0)
        end
        -- The run that six arguments tell.
        local function run(at)
            return {
                tick = tonumber(ARGV[at]), attempt = tonumber(ARGV[at + 1]), manual = tonumber(ARGV[at + 2]),
                fence = tonumber(ARGV[at + 3]), changed = tonumber(ARGV[at + 4]), info = ARGV[at + 5],
            }
        end
        local function write(new)
            entry = new
            redis.call('HSET', KEYS[6], 'tick', digits(entry.tick), 'attempt', digits(entry.attempt),
                'fence', digits(entry.fence), 'changed', digits(entry.changed), 'info', entry.info)
            for _, name in ipairs({'manual', 'outcome'}) do
                local value = entry[name]
                if value then
                    redis.call('HSET', KEYS[6], name, name == 'manual' and digits(value) or value)
                else
                    redis.call('HDEL', KEYS[6], name)
                end
            end
        end
        local function note(tick)
            if tick > floor then
                floor = tick
                redis.call('HSET', KEYS[6], 'floor', digits(floor))
            end
        end
        -- What is known of the last run stays.
        local function advance(tick)
            entry.tick, entry.attempt = tick, 0
            redis.call('HSET', KEYS[6], 'tick', digits(tick), 'attempt', '0')
        end
        -- An older copy may have a wish that was granted since.
        local function doubtWish(fence)
            if pending and asked <= fence then
                pending = false
                redis.call('HDEL', KEYS[6], 'pending')
            end
        end
        -- True when there was none: settled up to now, and nothing is caught up. One whose fence is not the largest that
        -- anybody knows of is an older copy: what became of its run and of a wish is not known.
        local function open(known, fence)
            note(known)
            if not entry then
                local tick = math.max(tonumber(clock[1]), floor)
                write({tick = tick, attempt = 0, fence = 0, changed = now, info = ''})
                return true
            end
            if entry.fence < fence then
                if entry.attempt ~= 0 then advance(entry.tick) end
                doubtWish(fence)
            end
            if entry.tick < floor then advance(floor) end
            return false
        end
        local function isDue(tick) return tick * 1000000 <= now + 1000000 end
        -- Whether the last run is this one. Its fence says so; by the rest it is known when it has none.
        local function isLast(run)
            if not entry then return false end
            if run.fence ~= 0 then return entry.fence == run.fence end
            return entry.tick == run.tick and entry.attempt == run.attempt and entry.manual == run.manual
                and entry.info == run.info
        end
        local function isBehind(run)
            return not entry or entry.tick < run.tick or entry.tick == run.tick and entry.fence < run.fence
        end
        local function push(first)
            if not ARGV[first] then return end
            redis.call('LPUSH', KEYS[7], unpack(ARGV, first))
            redis.call('LTRIM', KEYS[7], 0, 99)
        end
        local function ledgerParts()
            local parts = {false, false, false, false, false, false, false}
            if entry then
                parts = {digits(entry.tick), digits(entry.attempt), entry.manual and digits(entry.manual) or false,
                    digits(entry.fence), digits(entry.changed), entry.outcome or false, entry.info}
            end
            parts[8], parts[9] = pending and digits(asked) or false, pending and fields[10]
            return unpack(parts, 1, 9)
        end
        """

    private static let unbroken = "if broken then return broken end"

    private static let claiming = """
        local expected, claimed, known = ARGV[15], run(16), tonumber(ARGV[22])
        -- A wish that has been granted is told from one that has not by a fence that is larger.
        local function leastFence(floor) return math.max(floor, claimed.manual or 0) end
        local function noteFloor() note(known) end
        local function holdsClaim() return not entry.outcome and isLast(claimed) end
        -- The next tick, the run that was asked for, or the next attempt at the last run.
        local function follows()
            if key() ~= expected then return false end
            local same = claimed.tick == entry.tick and claimed.manual == entry.manual and entry.attempt >= 1
            if same and claimed.attempt == entry.attempt + 1 then return true end
            if claimed.attempt ~= 1 then return false end
            if claimed.manual then return claimed.tick == entry.tick and pending and asked == claimed.manual end
            return claimed.tick > entry.tick and isDue(claimed.tick)
        end
        -- What speaks against the claim. It is there already when only the reply to this very call was lost.
        local function objection(isOurs, fence)
            if not open(known, fence) and (isOurs and holdsClaim() or follows()) then return nil end
            return say('ledger', ledgerParts())
        end
        local function enterClaim(fence)
            if holdsClaim() then
                redis.call('HSET', KEYS[6], 'fence', digits(fence))
                return
            end
            claimed.fence, claimed.changed = fence, now
            write(claimed)
            if claimed.manual and pending and asked == claimed.manual then redis.call('HDEL', KEYS[6], 'pending') end
            push(23)
        end
        """

    /// A key of another type costs nobody a lease.
    private static let learning = """
        local function learnRun()
            local held = run(12)
            if broken or not isBehind(held) then return end
            doubtWish(held.fence)
            write(held)
        end
        """

    /// Whoever holds the lock now: if the last run is this one, that was its outcome.
    private static let concluding = """
        local function hasLine(line)
            for _, known in ipairs(redis.call('LRANGE', KEYS[7], 0, -1)) do
                if known == line then return true end
            end
            return false
        end
        local function conclude()
            local first = ARGV[3] == '1' and 8 or 4
            local ended, line = run(first), first + 7
            if isLast(ended) then
                if entry.outcome then return end
            elseif ended.fence == 0 then
                return
            elseif not entry or not isBehind(ended) then
                -- It is not the holder: an empty ledger knows nothing of those who have gone on since.
                if not entry then note(ended.tick) end
                if ARGV[line] and not hasLine(ARGV[line]) then push(line) end
                return
            else
                doubtWish(ended.fence)
                entry = ended
            end
            entry.outcome, entry.changed = ARGV[first + 6], now
            write(entry)
            push(line)
        end
        """

    private static let settleBody = """
        local guard, max, random, expected = ARGV[1] == '1', ARGV[2], ARGV[3], ARGV[4]
        local known, fence, tick = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
        local last = number(redis.call('GET', KEYS[2])) or 0
        local unsettled = false
        if guard then
            local word, nonce, _, remember = epoch(random, max)
            if word then return say(word) end
            remember()
            unsettled = nonce ~= ''
        end
        if last < fence then
            last = fence
            redis.call('SET', KEYS[2], digits(last))
        end
        if unsettled then
            note(known)
        elseif not open(known, last) and tick and key() == expected and tick > entry.tick and isDue(tick) then
            advance(tick)
            push(8)
        end
        return say('ledger', ledgerParts())
        """

    /// One that was asked for stands until it is claimed; asked again by the same call, it is the same afterwards, too.
    /// It comes after all that was granted before.
    private static let askBody = """
        local by, call = ARGV[1], ARGV[2]
        if not asked or not pending and fields[11] ~= call then
            local last = number(redis.call('GET', KEYS[2])) or 0
            asked, fields[10] = math.max(now, (asked or 0) + 1, last + 1), by
            redis.call('HSET', KEYS[6], 'asked', digits(asked), 'by', by, 'call', call, 'pending', '1')
        end
        announce()
        return {'asked', digits(now), digits(asked), fields[10]}
        """
}
