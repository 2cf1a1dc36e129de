# One entry for people and machines.  A clean clone needs Python with its
# headers, a C compiler and make; everything else is set up in .venv.
#
#   make demo        real clients served through a real SYN flood
#   make test        all tests, at every instruction set level
#   make test-core   C units and a short differential run, seconds
#   make soak        a hundred million random steps of it
#   make bad-input   packets without end, spoiled, under sanitizers
#   make mutate      small faults in C and Python, and which no test notices
#   make shield      a million SYNs, ACKs and spliced segments, the kernel's programs
#                    against the core
#   make handshakes  a million handshakes with the kernel, 10 minutes
#   make fleet-soak  100,000 handshakes with a fleet that changes, 4 minutes
#   make floods      clients served in floods of ten kinds, 6 minutes
#   make floods-logs clients in a flood whose log nobody reads, 15 minutes
#   make floods-soak kills and reloads in floods, 12 minutes
#   make monitoring  metrics and alerts with prometheus and promtool themselves
#   make bench       timings, by named cases
#   make coverage    what the tests reach, in C and in Python
#   make check       every static check; `make check lint` runs one stage
#   make wheels      an abi3 wheel, tried in a fresh venv of each Python

MAKEFLAGS += --silent
# The stages of `make check` side by side, the output of each in one piece.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ifneq ($(filter check,$(MAKECMDGOALS)),)
MAKEFLAGS += --jobs=$(JOBS) --output-sync=target
endif
# A make within a stage, which has its own number of jobs.
MAKE_ALONE := env -u MAKEFLAGS $(MAKE) --silent --jobs=2

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
EXTENSION := syncache/_ffi.abi3.so
EXTRAS := cli,fleet,pcap,plot,top
NEED := sh .ci/need
CLANG := $(firstword $(shell command -v clang-19 clang) clang-19)
CLANG_PACKAGES := "clang-19 libclang-rt-19-dev"

C_SOURCES := $(wildcard csrc/core/*.c csrc/simd/*.c csrc/flow/*.c \
	csrc/link/*.c)
C_HEADERS := $(wildcard csrc/*.h csrc/core/*.h csrc/simd/*.h csrc/flow/*.h \
	csrc/link/*.h)
# Needs Python's headers; part of the file that cffi writes.
C_DOOR := csrc/python/door.h
# Written in terms of what the files that include it define.
C_BODIES := csrc/simd/lanes.h csrc/simd/lanes_sip.h csrc/simd/neon.h
C_ALL := $(wildcard csrc/*/*.c csrc/adapters/*/*.c tests/*/*.c tests/*/*/*.c bench/*.c \
	syncache/cli/*.c)
C_WARN := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wsign-conversion -Werror -Icsrc -Icsrc/core -Icsrc/link
# In a shell whose first word is the compiler.
C_COMPILE := $$0 $(C_WARN)

STAGES := format lint types c foreign bpf unit property soak-short fuzz-smoke netns \
	hosts docs bench-counts wheels foreign-wheels sanitizers
# `make test` has run unit, property, docs and netns already.
# The long ones first, since the stages of a check run side by side.
DEFAULT_STAGES := format lint foreign fuzz-smoke c wheels hosts bench-counts types \
	soak-short bpf
CHOSEN := $(filter $(STAGES),$(MAKECMDGOALS))

.PHONY: all demo test test-core soak fleet-soak floods floods-logs floods-soak monitoring bad-input bench coverage check wheel clean reformat \
	mutate shield peers figures $(STAGES)

all: $(EXTENSION)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; this is" \
		"$$($(PYTHON) --version): make PYTHON=python3.X" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		$(NEED) no-such-venv python3-venv
	@$(PYTHON) -c 'import os, sysconfig as s; \
		os.stat(os.path.join(s.get_paths()["include"], "Python.h"))' \
		2>/dev/null || $(NEED) no-such-Python.h python3-dev
	@$(NEED) cc gcc
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -qq --upgrade 'pip>=25.1'
	@$(PY) -m pip install -qq --group dev
	@$(PY) -m pip install -qq -e '.[$(EXTRAS)]'
	@touch $@

$(EXTENSION): $(READY) setup.py csrc/build_ffi.py $(C_SOURCES) $(C_HEADERS) csrc/bpf/shield_abi.h csrc/bpf/offload_abi.h $(C_DOOR)
	@$(PY) setup.py -q build_ext --inplace
	@touch $@

demo: $(EXTENSION)
	@$(VENV)/bin/syncache demo $(ARGS)

# At every instruction set level of this machine, the best one first; each level
# file by file in parallel.  The best one runs everything, the lower ones
# the tests marked `isa`, whose outcome can depend on the kernels of a burst: packets
# that come one by one take the scalar ones at every level.  They wait for nobody, so
# one worker a processor does.  A level at which ARGS
# chooses none of these is no failure.
# Programs that tests in network namespaces start.  On a build machine they have to be
# there; elsewhere the tests that miss one are skipped, and one line says so.
TOOLS := $(NEED) $(shell cat .ci/tools) || [ -z "$$CI" ] || exit 1
# Three a processor, since tests with real peers mostly wait, in two of them.
WORKERS ?= $(shell expr 3 '*' $(JOBS))
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder -p no:benchmark

# Tests start Python a thousand times: its bytecode is kept, whatever one's shell says,
# since without it each start compiles half a megabyte of source again.
unexport PYTHONDONTWRITEBYTECODE

test: $(EXTENSION)
	@$(TOOLS)
	@set -e; only=; for isa in $$($(PY) -m bench.machine); do \
		echo "SYNCACHE_ISA=$$isa"; \
		code=0; \
		SYNCACHE_ISA=$$isa $(PY) -m pytest $(SIDE_BY_SIDE) $$only $(ARGS) || \
			code=$$?; \
		case "$$code$$only" in 0*) ;; 5?*) ;; *) exit $$code ;; esac; \
		only="--isa -n $(JOBS)"; \
	done

test-core:
	@$(NEED) cc gcc
	@$(MAKE_ALONE) -C tests/c

# A hundred million random steps against the twin.
soak:
	@$(MAKE_ALONE) -C tests/c STEPS=100000000 follow-run

# A fifth of a minute on one processor.
soak-short:
	@$(NEED) cc gcc
	@$(MAKE_ALONE) -C tests/c STEPS=10000000 follow-run

# An hour on two quiet processors: a sample of each part, which ends after MINUTES.
# `make mutate-core` (a room of csrc) or `make mutate-tcp` (a package) is one part,
# ARGS="--count 0 --minutes 600" all of it; each says which mutants are alive.
ROOMS := core flow link
PACKAGES := _core acl adapters aio alerts cli fleet ios links tcp top tunables
MINUTES ?= 5
mutate: $(EXTENSION)
	@$(PY) tests/tools/mutate.py --faults
	@code=0; for part in $(ROOMS) $(PACKAGES); do \
		$(MAKE) mutate-$$part || code=1; \
	done; exit $$code

$(ROOMS:%=mutate-%): mutate-%: $(EXTENSION)
	@$(PY) tests/tools/mutate.py --room $* --minutes $(MINUTES) $(ARGS)

$(PACKAGES:%=mutate-%): mutate-%: $(EXTENSION)
	@$(PY) tests/tools/mutate_python.py --package $* --minutes $(MINUTES) $(ARGS)

handshakes: $(EXTENSION)
	@$(PY) tests/netns/handshakes.py --count 1000000 $(ARGS)

# In parts, each with random numbers of its own: `make shield-packets-3`.
SHIELD_PARTS := 1 2 3 4 5 6 7 8 9 10
shield: $(SHIELD_PARTS:%=shield-packets-%) $(SHIELD_PARTS:%=shield-splice-%)

shield-packets-%: $(EXTENSION)
	@$(PY) tests/tools/shield_rig.py --count 100000 --seed $* $(ARGS)

shield-splice-%: $(EXTENSION)
	@$(PY) tests/tools/offload_rig.py --count 100000 --seed $* $(ARGS)

# As docs/fleet.md has it: ECMP cut anew, members that die, twenty keys.
fleet-soak: $(EXTENSION)
	@$(TOOLS)
	@PYTHONPATH=tests/tools $(PY) tests/netns/ecmp.py $(ARGS)

# Ten million packets through the Python door; ARGS="--count 100000" for fewer.
bad-input: $(READY)
	@$(NEED) cc gcc
	@$(PY) tests/tools/bad_input.py $(or $(ARGS),--count 10000000)

# Every kind of flood at every engine, IPv4 and IPv6, with clients beside it.
floods: $(EXTENSION)
	@$(TOOLS)
	@$(PY) tests/netns/storms.py $(ARGS)

# The same beside logs with a stopped reader, without a disk, without a reader.
floods-logs: $(EXTENSION)
	@$(TOOLS)
	@$(PY) tests/netns/hurt.py $(ARGS)

# Fifty kills and a hundred reloads in a flood, each engine; 12 minutes.
floods-soak: $(EXTENSION)
	@$(TOOLS)
	@$(PY) tests/netns/test_killed.py $(ARGS)

# 100 MB of Debian, so no part of `make test`, which skips them.
monitoring: $(EXTENSION)
	@$(NEED) prometheus prometheus promtool prometheus
	@$(PY) -m pytest -q tests/unit/cli/test_cli_metrics.py $(ARGS)

bench: $(EXTENSION)
	@$(PY) -m bench $(ARGS)

# Python measures what runs in its own process; C has units of its own.
coverage: $(EXTENSION)
	@$(NEED) $(CLANG) $(CLANG_PACKAGES)
	@$(NEED) llvm-cov-19 llvm-19
	@PYTHONPATH=. $(PY) tests/tools/coverage_c.py --write
	@$(PY) -m coverage run -m pytest -m 'not netns and not slow' \
		--ignore=tests/c/test_c_units.py --ignore=tests/property $(ARGS)
	@$(PY) -m coverage report

check: $(if $(CHOSEN),$(CHOSEN),$(DEFAULT_STAGES))
	@echo "check: passed: $^"

format: $(READY)
	@$(VENV)/bin/ruff format -q --check .
	@$(VENV)/bin/clang-format --dry-run --Werror $(C_ALL)

# Rewrites the sources as `format` wants them.
reformat: $(READY)
	@$(VENV)/bin/ruff format -q .
	@$(VENV)/bin/clang-format -i $(C_ALL)

lint: $(EXTENSION)
	@$(VENV)/bin/ruff check -q .
	@$(VENV)/bin/codespell
	@$(PY) -m pytest tests/tree/test_tidy.py

types: $(EXTENSION)
	@$(VENV)/bin/mypy

# Both compilers, with and without asserts, and every header alone; the units are part
# of `make test`.  gcc's warnings about values need its optimiser, which sees what is
# shipped, without asserts; with them it sees everything in `make test`.
c: $(READY)
	@$(NEED) $(CLANG) $(CLANG_PACKAGES)
	@set -e; for cc in cc $(CLANG); do \
		printf '%s\n' $(C_SOURCES) | xargs -P 2 -n 8 sh -c 'set -e; for f; do \
			$(C_COMPILE) -fsyntax-only $$f; \
			$(C_COMPILE) -O2 -DNDEBUG -c $$f -o /dev/null; \
		done' $$cc; \
		printf '%s\n' $(filter-out $(C_BODIES),$(C_HEADERS)) | \
		xargs -P 2 -n 8 sh -c 'set -e; for f; do \
			$(C_COMPILE) -Wno-unused-function -x c -fsyntax-only $$f; \
		done' $$cc; \
		$$cc $(C_WARN) -isystem "$$($(PY) -c 'import sysconfig as s; \
			print(s.get_paths()["include"])')" \
			-Wno-unused-function -x c -fsyntax-only $(C_DOOR); \
	done

# The programs of csrc/bpf as they lie in syncache/bpf, where the compiler that
# made them is at hand.
bpf: $(READY)
	@$(NEED) $(CLANG) $(CLANG_PACKAGES)
	@$(PY) csrc/bpf/build.py --check || [ $$? = 77 ]

# The C units as programs of other processors, under an emulator.
foreign:
	@env -u MAKEFLAGS sh tests/c/foreign.sh

# The C units and the conformance cases with everything that clang can watch, but for
# arithmetic that wraps on purpose.
SANITIZERS := address,undefined,implicit-conversion,local-bounds,nullability
SANITIZED := -O1 -g -fPIC -fsanitize=$(SANITIZERS),float-divide-by-zero \
	-fno-sanitize-recover=all
sanitizers: $(READY)
	@$(NEED) $(CLANG) $(CLANG_PACKAGES)
	@$(MAKE_ALONE) -C tests/c BUILD=../../build/sanitized CC=$(CLANG) \
		CFLAGS="$(SANITIZED)"
	@$(PY) tests/tools/sanitized_cases.py build/sanitized/libcore.a $(CLANG) $(SANITIZED)

# The wheel for other processors, with the conformance cases under an emulator and
# Debian's Python of that processor, which comes by apt; and for musl.
foreign-wheels: $(READY)
	@$(NEED) unzip unzip
	@$(PY) tests/tools/foreign_wheel.py $(ARGS)
	@$(PY) tests/tools/musl_wheel.py

unit: $(EXTENSION)
	@$(PY) -m pytest -m 'not netns' --ignore=tests/property $(ARGS)

property: $(EXTENSION)
	@$(PY) -m pytest tests/property $(ARGS)

netns: $(EXTENSION)
	@$(TOOLS)
	@$(PY) -m pytest -m netns $(ARGS)

# Other people's stacks behind our adapters; Debian's lwIP source comes by apt, PyTCP
# with its own Python and pmd-pytcp by pip, as they are no part of the development
# environment.
LWIP := build/lwip
PYTCP := build/pytcp
PMD_PYTCP := build/pmd-pytcp
hosts: $(EXTENSION)
	@$(NEED) valgrind valgrind
	@mkdir -p build; if [ ! -d $(LWIP) ] && timeout 300 \
		sh tests/netns/lwip/source.sh $(LWIP).new >build/lwip.log 2>&1; then \
		mv $(LWIP).new $(LWIP); \
	elif [ ! -d $(LWIP) ]; then \
		rm -rf $(LWIP).new; \
		echo "hosts: lwIP passed over, see build/lwip.log, or try" \
			"sh tests/netns/lwip/source.sh $(LWIP)"; \
	fi
	@[ -d $(PMD_PYTCP) ] || { $(PY) -m pip install -qq --disable-pip-version-check \
		--target $(PMD_PYTCP).new pmd-pytcp==0.3.8 2>build/pmd-pytcp.log && \
		mv $(PMD_PYTCP).new $(PMD_PYTCP); } || { rm -rf $(PMD_PYTCP).new; \
		echo "hosts: pmd-pytcp passed over, see build/pmd-pytcp.log"; }
	@[ -d $(PYTCP) ] || { timeout 300 sh tests/netns/pytcp/source.sh $(PYTCP).new \
		$(PY) >build/pytcp.log 2>&1 && mv $(PYTCP).new $(PYTCP); } || { \
		rm -rf $(PYTCP).new; echo "hosts: PyTCP passed over, see build/pytcp.log"; }
	@$(PY) -m pytest tests/netns/test_lwip.py tests/netns/test_pytcp.py

# Other stacks and tools that are installed, against ours; writes docs/peers.md.
peers: $(EXTENSION)
	@$(PY) -m tests.stacks $(ARGS)

# What those peers notice of us, beside the kernel in the same run.
figures: $(EXTENSION)
	@$(TOOLS)
	@PYTHONPATH=tests/netns $(PY) -m tests.stacks.figures $(ARGS)

docs: $(EXTENSION)
	@$(PY) -m pytest tests/tree/test_docs.py tests/tree/test_api.py

fuzz-smoke: $(EXTENSION)
	@$(NEED) $(CLANG) $(CLANG_PACKAGES)
	@sh tests/fuzz/smoke.sh $(CLANG)
	@mkdir -p build
	@$(PY) tests/fuzz/fuzz_sysctl_conf.py -seed=1 \
		-max_total_time=$${FUZZ_SECONDS:-30} >build/fuzz.log 2>&1 || \
		{ tail -40 build/fuzz.log; exit 1; }; \
		echo "fuzz_sysctl_conf: $$(grep -o 'Done [0-9]* runs' build/fuzz.log), no finding"

bench-counts: $(EXTENSION)
	@$(NEED) valgrind valgrind
	@$(PY) -m bench --counts
	@$(PY) -m bench.fleet --counts

wheel: $(READY)
	@rm -rf dist
	@$(PY) -m build -o dist . >/dev/null
	@$(VENV)/bin/abi3audit --strict dist/*.whl

# Every Python 3.10+ on this machine installs and imports the one wheel.
wheels: wheel
	@$(PY) tests/tools/try_wheel.py dist/*.whl

clean:
	rm -rf build dist *.egg-info $(EXTENSION) .pytest_cache .mypy_cache \
		.ruff_cache .hypothesis
