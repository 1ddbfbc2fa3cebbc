# Tests: what they are built from, and how they are run. Included by ../Makefile.

UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_HELP  := $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*.c))
FUZZ_SRCS  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRCS := $(wildcard tests/bench/*.c)
FAULT_SRCS := $(wildcard tests/faults/*.c)

UNIT_PROGRAMS  := $(UNIT_SRCS:%.c=$(BUILD)/%)
FUZZ_PROGRAMS  := $(FUZZ_SRCS:tests/%.c=$(BUILD)/%)
BENCH_PROGRAMS := $(BENCH_SRCS:tests/%.c=$(BUILD)/%)
FAULTS         := $(if $(FAULT_SRCS),$(BUILD)/tests/libfaults.so)
# Daemons that break a promise, for the torture test to catch (daemon/plan.c says how).
BROKEN_DAEMONS := $(addprefix $(BUILD)/tests/torture/elementd-,no-intent no-look-up)
BROKEN_PLANS   := $(addprefix $(BUILD)/tests/torture/plan-,no-intent.o no-look-up.o)
TEST_OBJS      := $(BROKEN_PLANS) $(call objs,$(UNIT_SRCS) $(UNIT_HELP) $(FUZZ_SRCS) tests/fuzz/replay.c \
                    $(BENCH_SRCS) $(FAULT_SRCS) tests/system/probe.c)

# A unit program is its test_*.c, the other files of tests/unit/ (helpers that all of
# them may use) and what it needs of the house, the client and its library.
# Some of them start elementd-http.
$(UNIT_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(call objs,$(UNIT_HELP)) $(CTL) $(HOUSE) $(LIBRARY) | $(BUILD)/elementd-http
	$(call say,LINK)$(LINK) -pie -o $@ $(filter-out %.so,$^) $(if $(LIBRARY),-L$(BUILD) -lelementd) $(TEST_LIBS) \
	    '-Wl,-rpath,$$ORIGIN/../..'

$(BENCH_PROGRAMS): $(BUILD)/%: $(BUILD)/tests/%.o $(HOUSE) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -pie -o $@ $(filter-out %.so,$^) $(if $(LIBRARY),-L$(BUILD) -lelementd) $(TEST_LIBS) \
	    '-Wl,-rpath,$$ORIGIN/..'

# libFuzzer where it is asked for (make fuzz), else a main that replays a corpus.
FUZZ_ENGINE ?=
FUZZ_MAIN   := $(if $(FUZZ_ENGINE),,$(BUILD)/tests/fuzz/replay.o)
$(FUZZ_PROGRAMS): $(BUILD)/%: $(BUILD)/tests/%.o $(FUZZ_MAIN) $(HOUSE)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) $(FUZZ_ENGINE) -pie -o $@ $^ $(SANDBOX_LIBS)

# Loaded by LD_PRELOAD, so before a sanitizer's run-time: it takes no part in that. Its
# symbols must be seen, and it brings nothing of the house.
$(call objs,$(FAULT_SRCS)): OBJ_FLAGS := -fvisibility=default -fno-sanitize=all
$(FAULTS): $(call objs,$(FAULT_SRCS))
	$(call say,LINK)$(CC) -shared $(LDFLAGS) -o $@ $^ -ldl

# What is tried under the settings of the units (tests/system/rows/60-sandbox); it takes nothing of the house.
SYSTEM_PROBE := $(BUILD)/tests/system-probe
$(SYSTEM_PROBE): $(BUILD)/tests/system/probe.o
	$(call say,LINK)$(LINK) -pie -o $@ $^

# One object each: with a plan of its own before it, the archive's is not taken.
$(BUILD)/tests/torture/plan-no-intent.o:  OBJ_FLAGS := -DPLAN_TEST_NO_INTENT
$(BUILD)/tests/torture/plan-no-look-up.o: OBJ_FLAGS := -DPLAN_TEST_NO_LOOK_UP
$(BROKEN_PLANS): daemon/plan.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC  )$(COMPILE) $(WERROR_FLAG) $(OBJ_FLAGS) -MMD -MP -c -o $@ $<
$(BROKEN_DAEMONS): $(BUILD)/tests/torture/elementd-%: $(BUILD)/daemon/main.o $(BUILD)/tests/torture/plan-%.o $(HOUSE) | $(BUILD)/elementd-http
	$(call say,LINK)$(LINK) -pie -o $@ $^ $(HOUSE_LIBS)
	@ln -sf ../../elementd-http $(@D)/elementd-http

.PHONY: tests
tests: all $(UNIT_PROGRAMS) $(FUZZ_PROGRAMS) $(BENCH_PROGRAMS) $(FAULTS) $(BROKEN_DAEMONS) $(SYSTEM_PROBE) ## build the tests without running them

# --- Running -------------------------------------------------------------------
#
# Each variant is this Makefile once more with its own BUILD folder. `check` installs
# what is missing first, and only then are compiler and libraries looked at.

SUITES ?= style unit fuzz e2e
RUN     = tests/run --build $(BUILD) $(RUN_FLAGS)
# Warnings are errors in the checks, unless the caller says WERROR=0.
CHECK_WERROR := $(if $(filter file default,$(origin WERROR)),1,$(WERROR))
variant = $(MAKE) --no-print-directory WERROR=$(CHECK_WERROR) BUILD=$(BUILD)$(1)
ASAN_ENV = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1 \
           UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

.PHONY: run-tests check check-asan check-valgrind check-clang check-ndebug check-style demo
run-tests: tests ## what check does, without installing anything
	$(RUN) $(SUITES)

check: deps ## build and run all tests (SUITES="unit e2e" for some)
	+@$(call variant,) run-tests

check-asan: deps ## all tests again with AddressSanitizer and UBSan
	+@$(ASAN_ENV) $(call variant,/asan) SANITIZE=address,undefined CFLAGS="-O1 -g" \
	    SUITES="$(filter-out style,$(SUITES))" RUN_FLAGS="--variant asan" run-tests

check-valgrind: deps ## unit tests under valgrind's memcheck
	+@$(call variant,) SUITES=unit RUN_FLAGS="--variant valgrind --timeout 600" run-tests

check-clang: deps ## build everything with clang, and run the unit tests
	@packaging/install-deps lint
	+@$(call variant,/clang) CC=clang SUITES=unit RUN_FLAGS="--variant clang" run-tests

check-ndebug: deps ## unit tests with assert() compiled out
	+@$(call variant,/ndebug) WERROR=0 DEFINES=-DNDEBUG CFLAGS="$(CFLAGS) -Wno-unused-but-set-variable" \
	    SUITES=unit RUN_FLAGS="--variant ndebug" run-tests

check-style: ## only the style checks and their self-tests
	tests/run --build $(BUILD) style

.PHONY: check-packages
check-packages: ## the packages: built, looked at by lintian and rpmlint, built again with the same bytes
	@packaging/install-deps build package
	+@$(MAKE) --no-print-directory programs
	tests/package/run $(BUILD)

ifneq ($(wildcard tests/system/run),)
.PHONY: check-system
check-system: ## the package under a real systemd, booted in a container on a minimal root
	@packaging/install-deps build package system
	+@$(MAKE) --no-print-directory all $(SYSTEM_PROBE) $(FAULTS)
	ELEMENTD_BUILD=$(abspath $(BUILD)) tests/system/run
else
ABSENT += check-system
endif

demo: deps ## see the daemon at work against the sandbox
	+@$(MAKE) --no-print-directory all
	ELEMENTD_BUILD=$(abspath $(BUILD)) tests/demo/run

# --- Torture -------------------------------------------------------------------

TORTURE_CYCLES    ?= 1000
TORTURE_INSTANCES ?= 50
TORTURE_SEED      ?=# any; the same one makes the same choices again
TORTURE_FLAGS     ?=

.PHONY: torture
torture: deps ## kill -9 the daemon TORTURE_CYCLES (1000) times, and look for what was lost or doubled
	+@$(MAKE) --no-print-directory all $(FAULTS)
	ELEMENTD_BUILD=$(abspath $(BUILD)) tests/torture/run --cycles=$(TORTURE_CYCLES) \
	    --instances=$(TORTURE_INSTANCES) $(addprefix --seed=,$(TORTURE_SEED)) $(TORTURE_FLAGS)

# --- Fuzzing and benchmarks ----------------------------------------------------

FUZZ_SECONDS ?= 60

.PHONY: fuzz run-fuzz bench
fuzz: ## fuzz each parser for FUZZ_SECONDS (60) with clang's libFuzzer
	@packaging/install-deps build fuzz
	+@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang CFLAGS="-O1 -g" \
	    SANITIZE=fuzzer-no-link,address,undefined FUZZ_ENGINE=-fsanitize=fuzzer run-fuzz

run-fuzz: $(FUZZ_PROGRAMS) ## what fuzz does, with what is built in BUILD
	tests/fuzz/run $(BUILD) $(FUZZ_SECONDS) $(FUZZ_PROGRAMS)

bench: ## measure against others of its kind (BENCHMARKS="start" for some)
	@packaging/install-deps build test bench
	+@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS)
	ELEMENTD_BUILD=$(abspath $(BUILD)) tests/bench/run $(BENCHMARKS)

# --- Lint and format -----------------------------------------------------------

C_DIRS  := base systemd config ipc ipc/client fetch daemon examples $(addprefix tests/,unit sandbox fuzz faults bench system)
C_FILES := $(foreach dir,$(C_DIRS),$(wildcard $(dir)/*.c $(dir)/*.h))

# clang-tidy is clang, and need not know what gcc hardens.
LINT_FLAGS = -std=gnu17 -D_GNU_SOURCE -DELEMENTD_VERSION="$(VERSION)" -DELEMENTD_LIBEXECDIR="/" -I. $(PKG_CFLAGS)

.PHONY: lint format
lint: ## clang-tidy, cppcheck and shellcheck (LINTERS="tidy" for one of them)
	@packaging/install-deps build test lint
	@LINT_FLAGS='$(LINT_FLAGS)' tests/style/lint $(LINTERS)

format: ## format all C files in place
	$(if $(C_FILES),clang-format -i $(C_FILES))
