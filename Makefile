# elementd: build, test, install.
#
# One Makefile, not recursive; `make help` lists what it can do. tests/tests.mk and
# packaging/install.mk hold what belongs to testing and to installing.
#
# Every folder's sources are found by wildcard, so a new file needs no line here.
# All code but the main programs goes into one archive, libhouse.a, which programs
# and tests link alike; the linker takes from it what each of them needs.
#
# A variant (sanitizers, clang, -DNDEBUG, fuzzing) is the same rules with another
# BUILD folder and other flags.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: FORCE
FORCE:
MAKEFLAGS += --no-builtin-rules

# One job per processor, unless the caller says how many.
ifeq ($(MAKELEVEL)$(filter -j% --jobserver%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# --- Flags ---------------------------------------------------------------------
#
# CC, CFLAGS, CPPFLAGS and LDFLAGS are the user's. What the code itself needs stands
# apart and comes first, so that the user's word is the last one.

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
WERROR     ?= 0
SANITIZE   ?=# for example address,undefined
DEFINES    ?=# for example -DNDEBUG

# $(call try,FLAGS): FLAGS, if the compiler takes them without a word.
try = $(shell $(CC) -Werror -O2 $(1) -include string.h -x c -c -o /dev/null /dev/null \
        >/dev/null 2>&1 && echo '$(1)')
# The same for what the linker has to understand as well.
try_link = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror -O2 $(1) -x c -o /dev/null - \
        >/dev/null 2>&1 && echo '$(1)')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
        -Wpointer-arith -Wundef -Wvla -Wimplicit-fallthrough -Wwrite-strings \
        -Werror=format -Werror=incompatible-pointer-types -Werror=int-conversion \
        -Werror=implicit-function-declaration
# A switch over an enum has no default: -Wall reports a missing value, and clang
# also the default that would hide it.
WARN += $(call try,-Wcovered-switch-default)

ifeq ($(SANITIZE),)
# glibc warns about fortification without optimisation.
ifneq ($(filter-out -O0,$(filter -O%,$(CFLAGS))),)
HARDEN := $(or $(call try,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3), \
               -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif
HARDEN += -fstack-protector-strong $(call try,-fstack-clash-protection) $(call try,-fcf-protection)
# No jumps through stubs, since all is bound at the start; and the daemon is optimized as one, from objects that also hold
# what everything else is linked from. Who has asked for that, or against it, has it everywhere, and as asked.
TUNE := $(call try,-fno-plt)
ifeq ($(filter -flto% -fno-lto,$(CFLAGS) $(LDFLAGS)),)
LTO    := $(if $(filter -O2 -O3,$(CFLAGS)),$(call try_link,-flto=auto -ffat-lto-objects))
NO_LTO := -fno-lto
endif
NO_UNDEFINED := -Wl,-z,defs
else
# The sanitizers intercept what fortification would replace, and clang's leave
# their symbols in a shared library to the program that loads it.
HARDEN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
NO_UNDEFINED :=
endif

# Libraries, each by its pkg-config name. --as-needed drops those that a program
# does not use; what must not be there at all is not listed for it.
libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
CLIENT_PKGS  := yajl
HOUSE_PKGS   := libevent_core yajl libsystemd libsodium
# libcurl is for the program that asks the platform alone.
FETCH_PKGS   := libevent_core libcurl
SANDBOX_PKGS := $(HOUSE_PKGS) libevent_extra libevent_openssl libssl libcrypto
TEST_PKGS    := $(SANDBOX_PKGS) libcurl cmocka

PKG_CFLAGS   := $(shell $(PKG_CONFIG) --cflags $(HOUSE_PKGS) $(FETCH_PKGS) 2>/dev/null)
CLIENT_LIBS  := $(call libs,$(CLIENT_PKGS))
HOUSE_LIBS   := $(call libs,$(HOUSE_PKGS)) -pthread
FETCH_LIBS   := $(call libs,$(FETCH_PKGS)) -pthread
SANDBOX_LIBS := $(call libs,$(SANDBOX_PKGS)) -pthread
TEST_LIBS    := $(call libs,$(TEST_PKGS)) -pthread -ldl

# All objects are position independent, so that one set of them serves the programs
# and the shared library, and hide their symbols, so that the library exports only
# what its header says.
COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE -DELEMENTD_VERSION='"$(VERSION)"' -I. $(DEFINES) \
          -fPIC -fvisibility=hidden -pthread $(WARN) $(HARDEN) $(TUNE) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK    = $(CC) $(filter -fsanitize=% -fno-sanitize%,$(HARDEN)) $(or $(LINK_LTO),$(NO_LTO)) $(CFLAGS) \
          -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)
# `make V=1` shows the commands.
ifeq ($(V),1)
say =
else
say = @echo '  $(1)' $(patsubst $(BUILD)/%,%,$@);
endif
WERROR_FLAG = $(if $(filter 1,$(WERROR)),-Werror)

# Objects depend on this file, which changes when the flags do.
$(BUILD)/.flags: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists $(HOUSE_PKGS) $(FETCH_PKGS) || \
	    { echo "Libraries are missing; packaging/install-deps build installs them." >&2; exit 1; }
	@echo '$(subst ','\'',$(COMPILE) | $(LINK) | $(LTO))' | cmp -s - $@ || \
	    echo '$(subst ','\'',$(COMPILE) | $(LINK) | $(LTO))' > $@

# --- Sources -------------------------------------------------------------------

objs   = $(patsubst %.c,$(BUILD)/%.o,$(1))
exists = $(if $(wildcard $(1)),$(2))

HOUSE_SRCS   := $(filter-out daemon/main.c fetch/main.c, \
                  $(foreach dir,base systemd config ipc fetch daemon,$(wildcard $(dir)/*.c)))
CTL_SRCS     := $(wildcard ipc/client/ctl*.c)
LIB_SRCS     := $(filter-out $(CTL_SRCS),$(wildcard ipc/client/*.c))
SANDBOX_SRCS := $(wildcard tests/sandbox/*.c)
HOUSE_OBJS   := $(call objs,$(HOUSE_SRCS))

HOUSE := $(BUILD)/libhouse.a
SO    := $(BUILD)/libelementd.so

LIBRARY  := $(call exists,ipc/client/libelementd.c,$(SO))
# All of the client but its main(), so that tests link it too.
CTL      := $(if $(CTL_SRCS),$(BUILD)/libctl.a)
CTL_OBJS := $(call objs,$(filter-out ipc/client/ctl.c,$(CTL_SRCS)))
PROGRAMS := $(call exists,daemon/main.c,$(BUILD)/elementd) \
            $(call exists,fetch/main.c,$(BUILD)/elementd-http) \
            $(LIBRARY) \
            $(if $(CTL_SRCS),$(BUILD)/elementctl)
SANDBOX  := $(if $(SANDBOX_SRCS),$(BUILD)/elements-sandbox)

.PHONY: all
all: $(PROGRAMS) $(SANDBOX) ## build the daemon, the program that asks for it, the client, its library and the sandbox

# --- Rules ---------------------------------------------------------------------

$(BUILD)/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC  )$(COMPILE) $(WERROR_FLAG) $(OBJ_FLAGS) -MMD -MP -c -o $@ $<

$(HOUSE_OBJS) $(BUILD)/daemon/main.o: OBJ_FLAGS += $(LTO)
$(BUILD)/elementd $(BUILD)/installed/elementd: private LINK_LTO = $(LTO)

# What the assembler embeds (.incbin) is unknown to -MMD, and to a link-time optimizer that cuts the program into parts.
$(BUILD)/ipc/interface.o $(BUILD)/config/element.o: OBJ_FLAGS = -fno-lto
$(filter $(BUILD)/ipc/%,$(HOUSE_OBJS)): $(wildcard ipc/*.varlink)
$(filter $(BUILD)/config/%,$(HOUSE_OBJS)): $(wildcard config/*.json config/*.tsv)

$(HOUSE): $(HOUSE_OBJS)
	@mkdir -p $(@D)
	$(call say,AR  )rm -f $@ && $(AR) rcs $@ $(HOUSE_OBJS)

$(BUILD)/elementd: $(BUILD)/daemon/main.o $(HOUSE)
	$(call say,LINK)$(LINK) -pie -o $@ $^ $(HOUSE_LIBS)

$(BUILD)/elementd-http: $(BUILD)/fetch/main.o $(HOUSE)
	$(call say,LINK)$(LINK) -pie -o $@ $^ $(FETCH_LIBS)

# Where the daemon looks for that program when it is installed, which is known, and changes, when we are: so that one is
# linked for itself, and nobody who runs the one beside the program has it changed under his hands.
LIBEXECDIR_FLAG = -DELEMENTD_LIBEXECDIR='"$(libexecdir)/elementd"'
$(BUILD)/daemon/http_helper.o: OBJ_FLAGS += $(LIBEXECDIR_FLAG)
$(BUILD)/.libexecdir: FORCE
	@mkdir -p $(@D)
	@echo '$(libexecdir)' | cmp -s - $@ || echo '$(libexecdir)' > $@
$(BUILD)/installed/http_helper.o: daemon/http_helper.c $(BUILD)/daemon/http_helper.o $(BUILD)/.libexecdir
	@mkdir -p $(@D)
	$(call say,CC  )$(COMPILE) $(WERROR_FLAG) $(LIBEXECDIR_FLAG) -c -o $@ $<
$(BUILD)/installed/elementd: $(BUILD)/daemon/main.o $(BUILD)/installed/http_helper.o $(HOUSE)
	$(call say,LINK)$(LINK) -pie -o $@ $^ $(HOUSE_LIBS)

# The library's ABI version is in its file name; NEWS.md tells when it changes.
$(SO).0.0.0: $(call objs,$(LIB_SRCS)) $(HOUSE) $(wildcard ipc/client/libelementd.map)
	$(call say,LINK)$(LINK) -shared -Wl,-soname,libelementd.so.0 $(NO_UNDEFINED) -Wl,--exclude-libs,ALL \
	    $(patsubst %.map,-Wl$(,)--version-script=%.map,$(filter %.map,$^)) \
	    -o $@ $(filter-out %.map,$^) $(CLIENT_LIBS)
$(SO).0: $(SO).0.0.0
	@ln -sf $(<F) $@
$(SO): $(SO).0
	@ln -sf $(<F) $@
, := ,

# In the build tree the client finds the library beside itself; the installed one
# finds it where the system looks.
CTL_LINK = $(LINK) -pie -o $@ $(BUILD)/ipc/client/ctl.o $(CTL) $(HOUSE) -L$(BUILD) -lelementd $(CLIENT_LIBS)
$(BUILD)/libctl.a: $(CTL_OBJS)
	$(call say,AR  )rm -f $@ && $(AR) rcs $@ $(CTL_OBJS)
$(BUILD)/elementctl: $(BUILD)/ipc/client/ctl.o $(CTL) $(HOUSE) $(SO)
	$(call say,LINK)$(CTL_LINK) '-Wl,-rpath,$$ORIGIN'
$(BUILD)/installed/elementctl: $(BUILD)/ipc/client/ctl.o $(CTL) $(HOUSE) $(SO)
	@mkdir -p $(@D)
	$(call say,LINK)$(CTL_LINK)

$(BUILD)/elements-sandbox: $(call objs,$(SANDBOX_SRCS)) $(HOUSE)
	$(call say,LINK)$(LINK) -pie -o $@ $^ $(SANDBOX_LIBS)

include tests/tests.mk
include packaging/install.mk

# --- The rest ------------------------------------------------------------------

.PHONY: deps clean help
deps: ## install the packages that building and testing need
	@packaging/install-deps build
	@packaging/install-deps test || echo "Tests that need them are skipped, or fail to build."

clean: ## remove all that was built
	rm -rf $(BUILD)

# Targets that wait for files which are not there yet are in ABSENT. A rule may go on in the next line.
help: ## show this list
	@awk -F ':.*## ' '{ while (sub(/\\$$/, "") && (getline line) > 0) $$0 = $$0 line } \
	    /^[a-z][a-z -]*:.*## / && index(" $(ABSENT) ", " " $$1 " ") == 0 { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "Variables: CC CFLAGS LDFLAGS BUILD WERROR=1 V=1 PREFIX DESTDIR; with 'check': SUITES=\"style unit fuzz e2e\""

-include $(patsubst %.o,%.d,$(HOUSE_OBJS) $(call objs,daemon/main.c fetch/main.c $(LIB_SRCS) $(CTL_SRCS) \
            $(SANDBOX_SRCS)) $(TEST_OBJS))
