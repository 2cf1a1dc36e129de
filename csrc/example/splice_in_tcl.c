/*
 * Intercept's splice as two commands of Tcl's: splice_in_front.tcl uses them.
 *
 *     cc -shared -fPIC -I/usr/include/tcl splice_in_tcl.c
 *         $(pkg-config --cflags --libs syncache) -o splice.so
 */
#include "splice_in_front.h"

#include <tcl.h>

/* begin port random: protects everything to a port. */
static int
begin(ClientData data, Tcl_Interp *interp, int count, Tcl_Obj *const word[])
{
    int port, size;
    const unsigned char *random;

    (void)data;
    if (count != 3) {
        Tcl_WrongNumArgs(interp, 1, word, "port random");
        return TCL_ERROR;
    }
    if (Tcl_GetIntFromObj(interp, word[1], &port) != TCL_OK)
        return TCL_ERROR;
    random = Tcl_GetByteArrayFromObj(word[2], &size);
    if (size < 2 * SYNCACHE_KEY_BYTES ||
        !splice_begin((uint16_t)port, random)) {
        Tcl_SetResult(interp, "begin needs 32 random bytes and memory",
                      TCL_STATIC);
        return TCL_ERROR;
    }
    return TCL_OK;
}

static void
deliver(void *by, uint32_t to, const uint8_t *packet, uint32_t size)
{
    Tcl_Obj *list = by;

    Tcl_ListObjAppendElement(NULL, list, Tcl_NewIntObj((int)to));
    Tcl_ListObjAppendElement(NULL, list,
                             Tcl_NewByteArrayObj(packet, (int)size));
}

/* take side packet milliseconds: takes an IP packet of one side; its result is
   a list of sides and packets that are to be delivered. */
static int
take(ClientData data, Tcl_Interp *interp, int count, Tcl_Obj *const word[])
{
    int from, size;
    const unsigned char *packet;
    Tcl_WideInt now_ms;
    Tcl_Obj *list;

    (void)data;
    if (count != 4) {
        Tcl_WrongNumArgs(interp, 1, word, "side packet milliseconds");
        return TCL_ERROR;
    }
    if (Tcl_GetIntFromObj(interp, word[1], &from) != TCL_OK ||
        Tcl_GetWideIntFromObj(interp, word[3], &now_ms) != TCL_OK)
        return TCL_ERROR;
    packet = Tcl_GetByteArrayFromObj(word[2], &size);
    list = Tcl_NewListObj(0, NULL);
    splice_take((uint32_t)from, packet, (size_t)size, (uint64_t)now_ms, deliver,
                list);
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}

int
Splice_Init(Tcl_Interp *interp)
{
    Tcl_CreateObjCommand(interp, "begin", begin, NULL, NULL);
    Tcl_CreateObjCommand(interp, "take", take, NULL, NULL);
    return TCL_OK;
}
