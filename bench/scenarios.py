"""What is measured, as data: a row is a scenario, a goal or a caveat. To measure something new, add rows here
(and a request in requests/); the runner, the table and RESULTS.md follow.

Scenarios
    name         unique; goals name it, --only chooses it
    server       whom it loads: smsd, nginx, redis, postgresql (servers.py)
    client       load (our generator over HTTP), load_redis (the same over RESP), pgbench, wrk
    connections  open throughout
    depth        requests in flight on each
    options      more options of the client's; for load see build/bench/load --help. {accounts} is filled in,
                 and {packets}: a file of ids of packets that nobody has grabbed of yet, {empty}: of one without shares,
                 {visits}: how many users were seen in the city
    per          what a request carries, for the table: a batch counts its items
"""

import collections

Scenario = collections.namedtuple("Scenario", "name server client connections depth options per",
                                  defaults=((), "charge"))

CHARGE = ("--request", "requests/charge.http", "--expect", "201", "--accounts", "{accounts}")
REDIS_CHARGE = ("--command", "EVALSHA {script} 2 u{account} i{unique} 10 r{unique}",
                "--accounts", "{accounts}")

ONE_ACCOUNT = ("--request", "requests/charge.http", "--expect", "201", "--accounts", "1")
QUEUED = ("--request", "requests/charge_queued.http", "--expect", "202", "--accounts", "{accounts}")
QUEUED_ONE_ACCOUNT = ("--request", "requests/charge_queued.http", "--expect", "202", "--accounts", "1")
BATCH = ("--request", "requests/charge_batch.http", "--expect-text", '"failed":0', "--accounts", "{accounts}")

# Each packet has PACKET_SHARES shares; all connections are on one packet until it is empty, then on the next.
PACKET_SHARES = 10000
GRAB = ("--request", "requests/grab.http", "--expect-text", '"outcome":"grabbed"', "--ids", "{packets}",
        "--id-uses", str(PACKET_SHARES))
# The same with this many packets open at once, each grab of the next one.
PACKETS_AT_ONCE = 1000
GRAB_MANY = ("--request", "requests/grab.http", "--expect-text", '"outcome":"grabbed"', "--ids", "{packets}",
             "--id-around")
GRAB_EMPTY = ("--request", "requests/grab.http", "--expect", "409", "--ids", "{empty}", "--first", "50000000")
REDIS_GRAB = ("--command", "EVALSHA {grab_script} 3 {id} {id}:users u{next} u{next}", "--ids", "{packets}",
              "--id-uses", str(PACKET_SHARES))
REDIS_GRAB_MANY = ("--command", "EVALSHA {grab_script} 3 {id} {id}:users u{next} u{next}", "--ids", "{packets}",
                   "--id-around")

# Who is drawn was seen before, but for so many of a hundred, who are new and known from then on.
SIGNALS_FRESH_PERCENT = 5
SIGNALS = ("--accounts", "{visits}", "--fresh-percent", str(SIGNALS_FRESH_PERCENT))
SMSD_SIGNALS = ("--request", "requests/signal.http", "--item-form", "ndjson", "--items", "1000",
                "--expect-text", '"invalid":0', *SIGNALS)
REDIS_SIGNALS_LUA = ("--command", "EVALSHA {signal_script} 1 filter {filter_bits} 86138{account}", *SIGNALS)
REDIS_SIGNALS_SADD = ("--command", "SADD visits 86138{account}", *SIGNALS)

SCENARIOS = (
    Scenario("charge", "smsd", "load", 256, 1, CHARGE),
    Scenario("charge_pipelined", "smsd", "load", 256, 16, CHARGE),
    Scenario("charge_batch_1000", "smsd", "load", 8, 1, (*BATCH, "--items", "1000")),
    Scenario("charge_one_account", "smsd", "load", 256, 16, ONE_ACCOUNT),
    Scenario("queued_one_account", "smsd", "load", 256, 16, QUEUED_ONE_ACCOUNT),
    Scenario("queued", "smsd", "load", 256, 16, QUEUED),
    Scenario("grab", "smsd", "load", 3000, 1, GRAB, "grab"),
    Scenario("grab_at_40000", "smsd", "load", 3000, 1, (*GRAB, "--rate", "40000"), "grab"),
    Scenario("grab_1000_packets", "smsd", "load", 3000, 1, GRAB_MANY, "grab"),
    Scenario("grab_empty", "smsd", "load", 3000, 1, GRAB_EMPTY, "refusal"),
    Scenario("signals", "smsd", "load", 16, 2, SMSD_SIGNALS, "signal"),
    Scenario("nginx", "nginx", "load", 256, 1, CHARGE, "request"),
    Scenario("nginx_pipelined", "nginx", "load", 256, 16, CHARGE, "request"),
    Scenario("nginx_wrk", "nginx", "wrk", 256, 1, (), "request"),
    Scenario("redis_64", "redis", "load_redis", 64, 1, REDIS_CHARGE),
    Scenario("redis_256", "redis", "load_redis", 256, 1, REDIS_CHARGE),
    Scenario("redis_pipelined", "redis", "load_redis", 64, 16, REDIS_CHARGE),
    Scenario("redis_grab", "redis", "load_redis", 3000, 1, REDIS_GRAB, "grab"),
    Scenario("redis_grab_1000_packets", "redis", "load_redis", 3000, 1, REDIS_GRAB_MANY, "grab"),
    Scenario("redis_signals_lua", "redis", "load_redis", 16, 256, REDIS_SIGNALS_LUA, "signal"),
    Scenario("redis_signals_sadd", "redis", "load_redis", 16, 256, REDIS_SIGNALS_SADD, "signal"),
    Scenario("postgresql_16", "postgresql", "pgbench", 16, 1),
    Scenario("postgresql_64", "postgresql", "pgbench", 64, 1),
)

# Goals of DESIGN.md, "Speed that it must reach".
#   scenario  whose figure; field: items_rate (charges a second) or p99_ms
#   peers     the best of these is the measure, `times` over; without peers `bound` itself is
Goal = collections.namedtuple("Goal", "text scenario field peers times bound")

GOALS = (
    Goal("durable charges at nginx's rate of `return`", "charge", "items_rate", ("nginx",), 1, None),
    Goal("three times Redis's Lua with appendfsync always", "charge", "items_rate",
         ("redis_64", "redis_256"), 3, None),
    Goal("eight times PostgreSQL", "charge", "items_rate", ("postgresql_16", "postgresql_64"), 8, None),
    Goal("p99 of a charge under 10 ms", "charge", "p99_ms", (), None, 10),
    Goal("in batches: 500,000 charges a second", "charge_batch_1000", "items_rate", (), None, 500000),
    Goal("pipelined by 16: 250,000 charges a second", "charge_pipelined", "items_rate", (), None, 250000),
    Goal("grabs by 3,000 connections on one packet: 40,000 a second", "grab", "items_rate", (), None, 40000),
    Goal("p99 of a grab under 100 ms, as many as can be", "grab", "p99_ms", (), None, 100),
    Goal("p99 of a grab under 100 ms, at 40,000 a second", "grab_at_40000", "p99_ms", (), None, 100),
    Goal("signals, 95 of 100 repeats: 1,000,000 a second", "signals", "items_rate", (), None, 1000000),
    Goal("signals: beside Redis's Lua with a filter of 12 bits a user", "signals", "items_rate",
         ("redis_signals_lua",), 1, None),
    Goal("signals: beside Redis's SADD", "signals", "items_rate", ("redis_signals_sadd",), 1, None),
    Goal("grabs: beside Redis's Lua with appendfsync always", "grab", "items_rate", ("redis_grab",), 1, None),
)

CAVEATS = (
    "nginx keeps nothing: it parses the head of the same request, skips the body, and answers a fixed text of "
    "the same length. It shows what HTTP on one core costs here.",
    "Redis speaks RESP, not HTTP and JSON. Its script does not compare the body under a repeated key, keeps "
    "no sum over all accounts and no chain of hashes; its data must fit into memory. Rewrites of its log "
    "happen at its default settings.",
    "PostgreSQL is asked by pgbench with prepared statements over its own protocol: no HTTP, no JSON. Its "
    "function does not compare the body under a repeated key, has no second side to an entry and no chain. "
    "Its checkpoints and vacuum run at their default times.",
    "A grab in Redis does not know of expiry, recipients or blocked accounts, keeps no second side to the entry "
    "and no chain; its shares are all the same and are not split by it.",
    "A signal in Redis knows of one city and no time: neither its filter nor its set forgets anybody after fifteen "
    "days, there is no decision, switch, label or trace, and the filter takes one new user in ten thousand for known. "
    "Commands are pipelined, a user each; smsd gets a thousand signals a request as JSON.",
    "All three answer after the data is on disk (nginx has none). Redis syncs once a turn of its loop, "
    "PostgreSQL once a group of commits, smsd once a batch.",
    "CPU is user and system time of all the server's processes and threads, exited ones too. The kernel "
    "counts work of the network on loopback to whoever sends.",
    "Instructions are those in user space, counted by callgrind over runs of two lengths on a small data set "
    "and subtracted, or by the processor where `perf stat` can (then of the kernel too, and in the measured "
    "run).",
    "valgrind offers no SHA instructions, so under callgrind smsd computes its chain of hashes in software: about a "
    "quarter of its count that the measured runs do not pay.",
    "wrk shows that the generator is not what limits: it sends one fixed request. Its latency starts later "
    "and is not comparable.",
)
