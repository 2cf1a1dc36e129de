/*
 * Intercept's splice as a module of Perl's: splice_in_front.pl uses it.
 *
 *     xsubpp -noversioncheck -typemap $(perl -MConfig -e \
 *         'print $Config{privlibexp}')/ExtUtils/typemap splice_in_perl.xs >splice.c
 *     cc -shared -fPIC $(perl -MExtUtils::Embed -e ccopts) splice.c
 *         $(pkg-config --cflags --libs syncache) -o splice.so
 */
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>
#include <XSUB.h>

#include "splice_in_front.h"

static void
deliver(void *by, uint32_t to, const uint8_t *packet, uint32_t size)
{
    dTHX;
    AV *pair = newAV();

    av_push(pair, newSVuv(to));
    av_push(pair, newSVpvn((const char *)packet, size));
    av_push(by, newRV_noinc((SV *)pair));
}

MODULE = Splice  PACKAGE = Splice

PROTOTYPES: DISABLE

# Protects everything to a port; false: too few random bytes, or no memory.
bool
begin(U16 port, SV *random)
  CODE:
    STRLEN size;
    const char *bytes = SvPVbyte(random, size);
    RETVAL = size >= 2 * SYNCACHE_KEY_BYTES &&
             splice_begin(port, (const uint8_t *)bytes);
  OUTPUT:
    RETVAL

# Takes an IP packet of one side; returns [[side, packet], ...] to be delivered.
AV *
take(U32 from, SV *packet, UV milliseconds)
  CODE:
    STRLEN size;
    const char *bytes = SvPVbyte(packet, size);
    RETVAL = (AV *)sv_2mortal((SV *)newAV());
    splice_take(from, bytes, size, milliseconds, deliver, RETVAL);
  OUTPUT:
    RETVAL
