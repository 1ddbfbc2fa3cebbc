# Installing, by the GNU names of the folders. Included by ../Makefile.

DESTDIR ?=
prefix       ?= $(PREFIX)
exec_prefix  ?= $(prefix)
bindir       ?= $(exec_prefix)/bin
sbindir      ?= $(exec_prefix)/sbin
libexecdir   ?= $(exec_prefix)/libexec
libdir       ?= $(exec_prefix)/lib
includedir   ?= $(prefix)/include
datarootdir  ?= $(prefix)/share
datadir      ?= $(datarootdir)
mandir       ?= $(datarootdir)/man
pkgconfigdir ?= $(libdir)/pkgconfig
# systemd reads these below /usr/lib only, or before /usr/local is there.
unitdir      ?= /usr/lib/systemd/system
sysusersdir  ?= /usr/lib/sysusers.d
tmpfilesdir  ?= /usr/lib/tmpfiles.d
catalogdir   ?= /usr/lib/systemd/catalog
bashcompdir  ?= $(datadir)/bash-completion/completions
zshcompdir   ?= $(datadir)/zsh/site-functions
fishcompdir  ?= $(datadir)/fish/vendor_completions.d

INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 0755
INSTALL_DATA    ?= $(INSTALL) -m 0644

# The systemd that units are for: one that does not know a setting would complain of it each time it reads the unit.
SYSTEMD_VERSION ?= $(firstword $(shell $(PKG_CONFIG) --modversion libsystemd 2>/dev/null) 252)
SYSTEMD_SINCE   := 254

# A file NAME.in becomes BUILD/NAME with the folders filled in. A line that begins with "@since N@" is for systemd N and later.
SUBSTITUTED := bindir sbindir libexecdir libdir includedir datadir prefix exec_prefix
$(BUILD)/%: %.in FORCE
	@mkdir -p $(@D)
	sed $(foreach name,$(SUBSTITUTED),-e 's|@$(name)@|$($(name))|g') -e 's|@VERSION@|$(VERSION)|g' \
	    $(foreach n,$(SYSTEMD_SINCE),$(if $(shell [ '$(SYSTEMD_VERSION)' -ge $(n) ] && echo yes),-e 's|^@since $(n)@||',-e '/^@since $(n)@/d')) \
	    $< > $@

# $(call data,PATTERN): the files of that pattern, written or made from an .in.
data = $(wildcard $(1)) $(patsubst %.in,$(BUILD)/%,$(wildcard $(1:%=%.in)))

UNITS     := $(call data,systemd/*.service systemd/*.socket systemd/*.target)
SYSUSERS  := $(call data,systemd/*.sysusers)
TMPFILES  := $(call data,systemd/*.tmpfiles)
CATALOGS  := $(call data,systemd/*.catalog)
PCFILES   := $(if $(LIBRARY),$(call data,packaging/*.pc))
VARLINK   := $(wildcard ipc/*.varlink)
MANPAGES  := $(call data,$(foreach n,1 3 5 7 8,packaging/man/*.$(n)))
BASHCOMP  := $(call data,packaging/completions/*.bash)
ZSHCOMP   := $(call data,packaging/completions/*.zsh)
FISHCOMP  := $(call data,packaging/completions/*.fish)

# $(call put,COMMAND,FILES,FOLDER): install FILES, if there are any, in FOLDER.
put = $(if $(strip $(2)),$(INSTALL) -d '$(DESTDIR)$(3)' && $(1) $(2) '$(DESTDIR)$(3)')
# $(call put_as,FILES,SUFFIX,FOLDER): install each as data, its suffix replaced.
put_as = $(foreach file,$(1),$(INSTALL) -d '$(DESTDIR)$(3)' && \
           $(INSTALL_DATA) $(file) '$(DESTDIR)$(3)/$(basename $(notdir $(file)))$(2)' &&) true

# $(call put_to,FILE,PATH): install FILE as data, as PATH.
put_to = $(INSTALL) -d '$(DESTDIR)$(dir $(2))' && $(INSTALL_DATA) $(1) '$(DESTDIR)$(2)'

INSTALLED := $(PROGRAMS) $(call exists,daemon/main.c,$(BUILD)/installed/elementd) \
             $(if $(CTL_SRCS),$(BUILD)/installed/elementctl) $(UNITS) $(SYSUSERS) $(TMPFILES) \
             $(CATALOGS) $(PCFILES) $(MANPAGES) $(BASHCOMP) $(ZSHCOMP) $(FISHCOMP)

.PHONY: programs install install-strip uninstall
programs: $(INSTALLED) ## build what gets installed, and nothing else

install: $(INSTALLED) ## install below PREFIX (and DESTDIR)
	$(call put,$(INSTALL_PROGRAM),$(filter %/installed/elementd,$(INSTALLED)),$(sbindir))
	$(call put,$(INSTALL_PROGRAM),$(filter %/elementd-http,$(PROGRAMS)),$(libexecdir)/elementd)
	$(call put,$(INSTALL_PROGRAM),$(if $(CTL_SRCS),$(BUILD)/installed/elementctl),$(bindir))
	$(call put,$(INSTALL_PROGRAM),$(LIBRARY:%=%.0.0.0),$(libdir))
	$(if $(LIBRARY),ln -sf libelementd.so.0.0.0 '$(DESTDIR)$(libdir)/libelementd.so.0')
	$(if $(LIBRARY),ln -sf libelementd.so.0 '$(DESTDIR)$(libdir)/libelementd.so')
	$(call put,$(INSTALL_DATA),$(wildcard ipc/client/elementd.h),$(includedir))
	$(call put,$(INSTALL_DATA),$(PCFILES),$(pkgconfigdir))
	$(call put,$(INSTALL_DATA),$(UNITS),$(unitdir))
	$(call put,$(INSTALL_DATA),$(CATALOGS),$(catalogdir))
	$(call put_as,$(SYSUSERS),.conf,$(sysusersdir))
	$(call put_as,$(TMPFILES),.conf,$(tmpfilesdir))
	$(call put,$(INSTALL_DATA),$(VARLINK),$(datadir)/elementd)
	$(call put,$(INSTALL_DATA),$(filter %.1,$(MANPAGES)),$(mandir)/man1)
	$(call put,$(INSTALL_DATA),$(filter %.3,$(MANPAGES)),$(mandir)/man3)
	$(call put,$(INSTALL_DATA),$(filter %.5,$(MANPAGES)),$(mandir)/man5)
	$(call put,$(INSTALL_DATA),$(filter %.7,$(MANPAGES)),$(mandir)/man7)
	$(call put,$(INSTALL_DATA),$(filter %.8,$(MANPAGES)),$(mandir)/man8)
	$(call put_as,$(BASHCOMP),,$(bashcompdir))
	$(foreach file,$(ZSHCOMP),$(call put_to,$(file),$(zshcompdir)/_$(basename $(notdir $(file)))))
	$(call put,$(INSTALL_DATA),$(FISHCOMP),$(fishcompdir))
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

install-strip: ## the same, without symbols
	+@$(MAKE) --no-print-directory INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' install

# What an installation with the same variables has, by making one elsewhere: so there is no second list of it. State and
# configuration stay.
uninstall: $(INSTALLED) ## remove what `make install` with the same variables has installed
	+@list=$$(mktemp -d) && trap 'rm -rf "$$list"' EXIT && \
	    $(MAKE) --no-print-directory DESTDIR="$$list" install >/dev/null && \
	    (cd "$$list" && find . ! -type d) | while IFS= read -r file; do rm -f '$(DESTDIR)'"$${file#.}"; done
	-@rmdir '$(DESTDIR)$(libexecdir)/elementd' '$(DESTDIR)$(datadir)/elementd' 2>/dev/null || :
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

.PHONY: deb rpm
deb: ## build the Debian packages, in build/deb
	@packaging/install-deps build package
	packaging/build-deb $(BUILD)/deb

rpm: ## build the RPM packages, in build/rpm
	@packaging/install-deps build package
	packaging/build-rpm $(BUILD)/rpm
