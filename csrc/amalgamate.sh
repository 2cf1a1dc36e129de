#!/bin/sh
# Writes the SYN cache as one header and one C file: sh amalgamate.sh DIRECTORY
#
# For stacks with a build of their own: copy the two files, compile syncache.c.
# The vector kernels of the burst path and the middlebox engine stay behind.
set -e
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"

{
	echo '/* The SYN cache in one header: syncache_tunables.h, syncache.h, syncache_host.h. */'
	cat syncache_tunables.h
	grep -v '^#include "syncache_tunables.h"' syncache.h
	grep -v '^#include "syncache.h"' syncache_host.h
} >"$out/syncache.h"

{
	cat <<'END'
/*
 * The SYN cache in one file, made by amalgamate.sh.  It needs C11 and nothing
 * else: with -ffreestanding it has no asserts, and asks for memcpy, memmove,
 * memset and memcmp.
 *
 * -DSYNCACHE_SMALL leaves out the burst path and syncache_guard(): a fourth of the
 * code, and most of the memory that an engine needs before its first entry.
 */
#if defined(__cplusplus) || !defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L
#error "syncache.c is C11: compile it by a C compiler, with -std=c11 or later"
#else /* to the end */
#define SYNCACHE_PORTABLE 1
#include "syncache.h"

#ifdef __GNUC__ /* what the parts that are left out would call */
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

#if defined(__STDC_HOSTED__) && __STDC_HOSTED__
#include <assert.h>
#include <string.h>
#else
#define assert(condition) ((void)0)
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *one, const void *two, size_t size);
#endif
END
	# The burst path last, so that what it shares stands before it.
	burst='simd/portable.c core/burst.c core/flood.c core/gather.c core/guard.c core/quick.c
		core/quick_shape.c'
	rest=$(for file in core/*.c; do
		case " $(echo $burst) " in *" $file "*) ;; *) echo "$file" ;; esac
	done)
	# Each #include "..." becomes its file, once; the headers above are there.  All but
	# the public functions become static, as the program has names of its own.
	awk '
	function base(path) {
		sub(/.*\//, "", path)
		return path
	}
	# A type stands on the line before a function, or with a declaration.
	function put(line,    name) {
		if (type != "")
			print (line ~ /^[a-z0-9_]+\(/ && line !~ /^syncache_/ ? "static " : "") type
		type = ""
		if (line ~ /^(static|typedef|else|default)/)
			print line
		else if (line ~ /^[a-z][a-z0-9_]*[a-z0-9_ ]*\**$/)
			type = line
		else if (line ~ /^extern const struct simd_kernels /)
			return # the one that is here is defined before it is used
		else if (line ~ /^[a-z][a-z0-9_ ]*[ *]+[a-z0-9_]+(\(| = \{)/ && line !~ /[ *]syncache_[a-z0-9_]*\(/)
			print "static " line
		else
			print line
	}
	function take(path,    line, name, folder) {
		folder = path
		sub(/[^\/]*$/, "", folder)
		while ((getline line < path) > 0) {
			name = line
			if (gsub(/^#include "|"$/, "", name) == 2) {
				if (!seen[base(name)]++)
					take(folder name)
			} else if (line !~ /^#include <(assert|string|std[a-z]*)\.h>/)
				put(line)
		}
		put("")
		close(path)
	}
	BEGIN {
		seen["syncache.h"] = seen["syncache_tunables.h"] = seen["syncache_host.h"] = 1
		for (i = 1; i < ARGC; i++) {
			if (ARGV[i] == "simd/portable.c")
				print "\n#ifndef SYNCACHE_SMALL"
			printf "\n/* ======== %s ======== */\n\n", ARGV[i]
			take(ARGV[i])
		}
	}' $rest $burst
	cat <<'END'

static const struct simd_kernels *
simd_kernels(void)
{
    return &simd_portable;
}
#endif
#endif
END
} >"$out/syncache.c"
