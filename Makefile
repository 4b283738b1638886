# smsd: `make run` and `make test` are all a newcomer needs; `make help` lists the rest.

BUILD ?= build
PREFIX ?= /usr/local
CC = gcc

ROOMS = base json store engine pipeline net http gateway api jobs config
SOURCES = src/main.c $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c))
HEADERS = $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.h src/$(room)/*.def))

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wcast-qual -Wvla -Wformat=2 -Wundef -Werror
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection \
	-fcf-protection
CPPFLAGS = -Isrc -D_GNU_SOURCE -isystem $(BUILD)/deps/include
BANNED = -include src/base/banned.h
CFLAGS_release = -O2 -flto=2 -g $(HARDENING)
CFLAGS_debug = -O0 -g -DSMSD_CRASH_POINTS
CFLAGS_sim = -O2 -g
CFLAGS_sanitize = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DSMSD_CRASH_POINTS
LDFLAGS_release = -pie -Wl,-z,relro,-z,now -flto=2 -O2
LDFLAGS_sanitize = -fsanitize=address,undefined
CFLAGS_thread = -O1 -g -fsanitize=thread -fno-omit-frame-pointer -DSMSD_CRASH_POINTS
LDFLAGS_thread = -fsanitize=thread
LIBRARIES = -Wl,-Bstatic -luv_a -llmdb -lmbedtls -lmbedx509 -lmbedcrypto -Wl,-Bdynamic -lpthread -ldl -lm

# One build of one variant: `build/smsd` is the release; `build/debug/smsd`,
# `build/sanitize/smsd` and `build/thread/smsd` are the others. Each keeps its own objects.
VARIANT ?= release
OBJECTS = $(SOURCES:%.c=$(BUILD)/$(VARIANT)/%.o)

include deps/deps.mk

.DEFAULT_GOAL = all
.PHONY: all debug sanitize thread clean
all: $(BUILD)/smsd ## the release binary, build/smsd (the default)

$(BUILD)/smsd: $(BUILD)/release/smsd
	cp -f $< $@

debug sanitize thread: ## the same with crash points; and with sanitizers, of address and undefined or of threads
	$(MAKE) VARIANT=$@ $(BUILD)/$@/smsd

$(BUILD)/$(VARIANT)/smsd: $(OBJECTS) $(BUILD)/$(VARIANT)/llhttp.a
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LIBRARIES)

$(BUILD)/$(VARIANT)/%.o: %.c | $(DEPS)/installed
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(BANNED) $(WARNINGS) $(CFLAGS_$(VARIANT)) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

clean: ## remove everything that was built
	rm -rf $(BUILD)

# Running and installing.

LISTEN ?= 127.0.0.1:8080
RUN_OPTIONS ?= --data-dir ./data --listen $(LISTEN) --sandbox-log $(BUILD)/sandbox.log

.PHONY: help run install
help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-19s  %s\n", $$1, $$2 }'

run: ## install what is missing, build, and serve LISTEN (127.0.0.1:8080) from ./data
	deps/install
	$(MAKE) all
	exec $(BUILD)/smsd $(RUN_OPTIONS)

install: all ## binary and man pages below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/smsd $(DESTDIR)$(PREFIX)/bin/smsd
	for page in $(wildcard man/*.[1-8]); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done

# Tests: each tests/unit/*.c is a program of its own, linked with all of src/ except src/main.c.

UNITS = $(patsubst tests/unit/%.c,$(BUILD)/$(VARIANT)/unit/%,$(wildcard tests/unit/*.c))
ARCHIVE = $(BUILD)/$(VARIANT)/smsd.a

.PHONY: test check requirements units fuzz
test: ## install what the tests need, build, run every test; ends with "N passed, N failed"
	@tests/install
	@tests/run

check: ## the checks of the source alone (tests/check/)
	@tests/run check

flags: # what the compiler is told, for the checks
	@echo '$(CPPFLAGS) $(BANNED)'

requirements: ## every requirement with the tests that name it
	@tests/check/requirements

units: $(UNITS)

$(ARCHIVE): $(filter-out %/src/main.o,$(OBJECTS))
	rm -f $@
	gcc-ar rcs $@ $^

$(UNITS): $(BUILD)/$(VARIANT)/unit/%: $(BUILD)/$(VARIANT)/tests/unit/%.o $(ARCHIVE) $(BUILD)/$(VARIANT)/llhttp.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ -lcmocka $(LIBRARIES)

$(BUILD)/$(VARIANT)/unit/json_peer: LIBRARIES += -lcjson

-include $(patsubst tests/unit/%.c,$(BUILD)/$(VARIANT)/tests/unit/%.d,$(wildcard tests/unit/*.c))

# The simulator: the engine under made-up commands, beside a model. Its link puts tests/sim/watch.c between the
# engine and the store's writes; not with -flto, which may inline them.

SIM_OBJECTS = $(patsubst %.c,$(BUILD)/$(VARIANT)/%.o,$(wildcard tests/sim/*.c))
SIM_WRAPS = -Wl,--wrap=txn_put -Wl,--wrap=txn_delete
SEED ?= $(shell date +%s)
STEPS ?= 1000000
DISK_STEPS ?= 20000

.PHONY: sim simulator
sim: ## STEPS (1000000) made-up commands in memory, DISK_STEPS (20000) on disk, from SEED
	$(MAKE) VARIANT=sim simulator
	$(BUILD)/sim/simulator --seed $(SEED) --steps $(STEPS) --disk-steps $(DISK_STEPS)

simulator: $(BUILD)/$(VARIANT)/simulator

$(BUILD)/$(VARIANT)/simulator: $(SIM_OBJECTS) $(ARCHIVE) $(BUILD)/$(VARIANT)/llhttp.a
	$(CC) $(LDFLAGS_$(VARIANT)) $(SIM_WRAPS) -o $@ $^ $(LIBRARIES)

-include $(SIM_OBJECTS:.o=.d)

# Benchmarks: the load generator, and the runner that measures smsd beside other servers (bench/README.md).

BENCH_OBJECTS = $(patsubst %.c,$(BUILD)/$(VARIANT)/%.o,$(wildcard bench/load/*.c))

.PHONY: bench
bench: all $(BUILD)/bench/load ## measure beside nginx, Redis and PostgreSQL; BENCH_OPTIONS=--quick for a short run
	bench/install
	bench/run $(BENCH_OPTIONS)

$(BUILD)/bench/load: $(BENCH_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^

# What each kind of command costs the engine (bench/commands.c); its link can leave out the hash chain.
.PHONY: bench-commands
bench-commands: ## µs and instructions of each kind of command, over the store in memory
	$(MAKE) VARIANT=sim $(BUILD)/sim/bench/commands
	$(BUILD)/sim/bench/commands

$(BUILD)/$(VARIANT)/bench/commands: $(BUILD)/$(VARIANT)/bench/commands.o $(ARCHIVE) $(BUILD)/$(VARIANT)/llhttp.a
	$(CC) $(LDFLAGS_$(VARIANT)) -Wl,--wrap=chain_step -o $@ $^ $(LIBRARIES)

-include $(BENCH_OBJECTS:.o=.d)

# Instructions hold still where times do not: what JSON costs a charge, as valgrind counts it.

COUNTED = 1000

.PHONY: instructions
instructions: $(BUILD)/bench/json_charge $(BUILD)/bench/catalog ## count what a charge's JSON and the catalogue cost (valgrind)
	bench/install
	for step in read_charge write_charge read_signal; do \
		valgrind --tool=callgrind --toggle-collect=$$step --callgrind-out-file=$(BUILD)/bench/$$step.callgrind \
			$< $(COUNTED) 2>&1 | awk -v step=$$step '/Collected/ { count = $$NF } END { \
			printf "%s: %d instructions\n", step, count / $(COUNTED); exit count == 0 }' || exit 1; \
	done
	for step in find_thing find_by_number choose_route "choose_route SG" take_quota quiet_until "quiet_until SG"; do \
		set -- $$step; \
		valgrind --tool=callgrind --toggle-collect=$$1 --callgrind-out-file=/dev/null \
			$(BUILD)/bench/catalog $(COUNTED) $$2 2>&1 | awk -v step="$$step" '/Collected/ { count = $$NF } END { \
			printf "%s: %d instructions\n", step, count / $(COUNTED); exit count == 0 }' || exit 1; \
	done

# Each a program of its own: its opening comment tells what it counts.
COUNTERS = json_charge catalog visits store_charge

$(COUNTERS:%=$(BUILD)/bench/%): $(BUILD)/bench/%: $(BUILD)/$(VARIANT)/bench/%.o $(ARCHIVE) $(BUILD)/$(VARIANT)/llhttp.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LIBRARIES)

-include $(COUNTERS:%=$(BUILD)/$(VARIANT)/bench/%.d)

# What a look-up of a visit costs, and what misses the cache of valgrind's model (32 KiB and 1 MiB).
VISITS = 1000000
VISIT_LOOK_UPS = 320000

.PHONY: instructions-visits
instructions-visits: $(BUILD)/bench/visits ## count the instructions of a look-up in a city's filter and table (valgrind)
	bench/install
	for way in "filter $(VISITS)" "table $(VISITS)" "area 10" "area 10000"; do \
		set -- $$way; \
		valgrind --tool=callgrind --cache-sim=yes --I1=32768,8,64 --D1=32768,8,64 --LL=1048576,16,64 \
			--toggle-collect=$${1}_look_ups --callgrind-out-file=$(BUILD)/bench/$$1.callgrind \
			$< $$2 $(VISIT_LOOK_UPS) $$1 2>&1 | awk -v way="$$way" '/Collected/ { \
			printf "%s: %.0f instructions a look-up, %.2f lines not in cache\n", way, \
			$$4 / $(VISIT_LOOK_UPS), ($$11 + $$12) / $(VISIT_LOOK_UPS) } END { exit NR == 0 }' || exit 1; \
	done

$(patsubst tests/unit/%.c,$(BUILD)/$(VARIANT)/unit/%,$(wildcard tests/unit/bench_*.c)): \
	$(filter-out %/main.o,$(BENCH_OBJECTS))

# Fuzzing: each tests/fuzz/*.c is a libFuzzer target (clang); its seeds lie in the folder of its name.

FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_SECONDS ?= 60
CFLAGS_fuzz = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz = -fsanitize=fuzzer,address,undefined

.PHONY: fuzz fuzzers
fuzz: ## feed the parsers with made-up input, FUZZ_SECONDS (60) each
	@tests/install fuzz
	$(MAKE) VARIANT=fuzz CC=clang fuzzers
	for name in $(FUZZERS); do \
		mkdir -p $(BUILD)/fuzz/corpus/$$name && \
		$(BUILD)/fuzz/target/$$name -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/fuzz/ \
			$(BUILD)/fuzz/corpus/$$name $$(ls -d tests/fuzz/$$name 2>/dev/null) || exit 1; \
	done

fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/target/%)

$(BUILD)/fuzz/target/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/smsd.a $(BUILD)/fuzz/llhttp.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_fuzz) -o $@ $^ $(LIBRARIES)

# The server that the tests of src/http/ talk to, and the client that talks to theirs.

HTTP_TEST_OBJECTS = $(patsubst %.c,$(BUILD)/$(VARIANT)/%.o,$(wildcard src/base/*.c src/net/*.c src/http/*.c))

$(BUILD)/$(VARIANT)/http/%: $(BUILD)/$(VARIANT)/tests/http/%.o $(HTTP_TEST_OBJECTS) $(BUILD)/$(VARIANT)/llhttp.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_$(VARIANT)) -o $@ $^ $(LIBRARIES)

-include $(wildcard $(BUILD)/$(VARIANT)/tests/http/*.d)
