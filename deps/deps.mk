# The dependencies: deps/install puts in place what is missing, and is run when build/ is new, the script has
# changed, or one of the headers below is gone. llhttp is compiled from its sources, one archive a variant.

DEPS = $(BUILD)/deps
DEPS_HEADERS = $(addprefix /usr/include/,uv.h lmdb.h mbedtls/ssl.h)

ifneq ($(words $(wildcard $(DEPS_HEADERS))),$(words $(DEPS_HEADERS)))
.PHONY: $(DEPS)/installed
endif

CFLAGS_llhttp = -O2 -g -DLLHTTP_STRICT_MODE=1
CFLAGS_llhttp_release = $(HARDENING)
# The sanitizers' and the fuzzer's builds watch it, too.
CFLAGS_llhttp_sanitize = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_llhttp_fuzz = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LLHTTP_OBJECTS = $(patsubst %,$(BUILD)/$(VARIANT)/llhttp/%.o,llhttp api http)

$(DEPS)/installed: deps/install deps/deps.mk
	BUILD=$(BUILD) deps/install
	@mkdir -p $(DEPS)/include
	@cp $(DEPS)/llhttp/llhttp.h $(DEPS)/include/llhttp.h
	@touch $@

$(LLHTTP_OBJECTS): $(BUILD)/$(VARIANT)/llhttp/%.o: $(DEPS)/installed
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_llhttp) $(CFLAGS_llhttp_$(VARIANT)) -c -o $@ $(DEPS)/llhttp/$*.c

$(BUILD)/$(VARIANT)/llhttp.a: $(LLHTTP_OBJECTS)
	rm -f $@
	ar rcs $@ $^
