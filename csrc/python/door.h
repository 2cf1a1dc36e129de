/*
 * The module syncache._door: what Python calls for every 64 packets, and for
 * every turn of a connection, as methods in C.
 *
 * cffi turns each argument of a call into C and releases the GIL; around it
 * Python takes the engine's token, converts the time and clears two rings.  For
 * a burst of small packets that is half as much again as the packets cost, and
 * a tenth here.  All other calls go through cffi.
 *
 * Part of the file that cffi generates (csrc/build_ffi.py), after Python.h.
 */
#ifndef Py_PYTHON_H
#define Py_LIMITED_API 0x030a0000
#include <Python.h>
#endif

#include <structmember.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../syncache.h"
#include "../syncache_host.h"

/*
 * The token of who may use an engine: one call at a time, none after the end.
 * It is taken and given back in one step, as not every Python has a GIL.
 */
struct door {
    PyObject_HEAD unsigned long long
        engine;        /* where the struct syncache lies, or 0 */
    double keys_until; /* times in seconds before it need no new key */
    bool taken;
    bool closed; /* wiped: nobody gets the token again */
};

/* Where a ring lies. */
struct place {
    PyObject_HEAD unsigned long long ring; /* the struct syncache_ring, or 0 */
};

/* Made once: interpreters of one lock share them. */
static PyTypeObject *door_type, *place_type;

static PyObject *
none(void)
{
    Py_INCREF(Py_None);
    return Py_None;
}

/* Takes the token; false with an exception set if somebody else has it. */
static bool
take(PyObject *self)
{
    struct door *door = (struct door *)self;
    PyObject *refusal;

    if (!__atomic_test_and_set(&door->taken, __ATOMIC_ACQUIRE))
        return true;
    refusal = PyObject_CallMethod(self, "_refusal", NULL);
    if (refusal) {
        PyErr_SetObject(PyExc_RuntimeError, refusal);
        Py_DECREF(refusal);
    }
    return false;
}

static void
give(PyObject *self)
{
    struct door *door = (struct door *)self;

    if (!door->closed)
        __atomic_clear(&door->taken, __ATOMIC_RELEASE);
}

static PyObject *
door_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!take(self))
        return NULL;
    Py_INCREF(self);
    return self;
}

static PyObject *
door_exit(PyObject *self, PyObject *const *error, Py_ssize_t error_size)
{
    (void)error;
    (void)error_size;
    give(self);
    return none();
}

/* Finds a ring's memory; NULL with an exception set if there is none. */
static struct syncache_ring *
ring_of(PyObject *object)
{
    unsigned long long ring = 0;

    if (PyObject_TypeCheck(object, place_type))
        ring = ((struct place *)object)->ring;
    if (ring == 0)
        PyErr_Format(PyExc_TypeError, "%R is not a Ring", Py_TYPE(object));
    return (struct syncache_ring *)(uintptr_t)ring;
}

static PyObject *
place_clear(PyObject *self, PyObject *unused)
{
    struct syncache_ring *ring = ring_of(self);

    (void)unused;
    if (!ring)
        return NULL;
    ring->count = ring->next = ring->passed_count = 0;
    return none();
}

/*
 * Converts a time to milliseconds; false with an exception set if it is none.
 * Whatever is not plain, and whatever needs a new key, is for Core._at.
 */
static bool
time_of(PyObject *core, PyObject *time, uint64_t *now_ms)
{
    const struct door *door = (const struct door *)core;
    PyObject *ms;

    if (PyFloat_CheckExact(time)) {
        double now = PyFloat_AsDouble(time);
        if (now >= 0 && now < door->keys_until) {
            *now_ms = (uint64_t)(now * 1000 + 0.5);
            return true;
        }
    }
    ms = PyObject_CallMethod(core, "_at", "O", time);
    if (!ms)
        return false;
    *now_ms = PyLong_AsUnsignedLongLong(ms);
    Py_DECREF(ms);
    return !PyErr_Occurred();
}

/* The engine of a core; NULL with an exception set if there is none. */
static struct syncache *
engine_of(PyObject *core, const char *refusal)
{
    if (PyObject_TypeCheck(core, door_type) &&
        ((struct door *)core)->engine != 0)
        return (struct syncache *)(uintptr_t)((struct door *)core)->engine;
    PyErr_SetString(PyExc_TypeError, refusal);
    return NULL;
}

/* Takes the token and converts the time; false with an exception set, and the
 * token is free. */
static bool
take_at(PyObject *core, PyObject *time, uint64_t *now_ms)
{
    if (!take(core))
        return false;
    if (time_of(core, time, now_ms))
        return true;
    give(core);
    return false;
}

/* burst(core, rx, tx, now): the packets consumed; see engine.py. */
static PyObject *
door_burst(PyObject *module, PyObject *const *given, Py_ssize_t given_size)
{
    struct syncache_ring *rx, *tx;
    struct syncache *cache;
    uint64_t now_ms;
    uint32_t consumed;

    (void)module;
    cache = engine_of(given_size == 4 ? given[0] : module,
                      "burst takes a core, rx, tx and now");
    rx = cache ? ring_of(given[1]) : NULL;
    tx = rx ? ring_of(given[2]) : NULL;
    if (!tx)
        return NULL;
    if (rx == tx) {
        PyErr_SetString(PyExc_ValueError, "replies need a ring of their own");
        return NULL;
    }
    if (!take_at(given[0], given[3], &now_ms))
        return NULL;
    Py_BEGIN_ALLOW_THREADS consumed = syncache_burst(cache, now_ms, rx, tx);
    Py_END_ALLOW_THREADS give(given[0]);
    return PyLong_FromUnsignedLong(consumed);
}

/* poll(core, tx, now): the packets appended; see engine.py. */
static PyObject *
door_poll(PyObject *module, PyObject *const *given, Py_ssize_t given_size)
{
    struct syncache_ring *tx;
    struct syncache *cache;
    uint64_t now_ms;
    uint32_t appended;

    (void)module;
    cache = engine_of(given_size == 3 ? given[0] : module,
                      "poll takes a core, tx and now");
    tx = cache ? ring_of(given[1]) : NULL;
    if (!tx || !take_at(given[0], given[2], &now_ms))
        return NULL;
    Py_BEGIN_ALLOW_THREADS appended = syncache_poll(cache, now_ms, tx);
    Py_END_ALLOW_THREADS give(given[0]);
    return PyLong_FromUnsignedLong(appended);
}

/* Reads the members of a struct syncache_numbers, in their order; false with an
 * exception set. */
static bool
limits_of(PyObject *object, struct syncache_numbers *numbers)
{
    uint32_t *const members[] = {
        &numbers->rcv_nxt,   &numbers->rcv_adv,    &numbers->snd_una,
        &numbers->snd_max,   &numbers->ts_recent, &numbers->timestamps,
        &numbers->gathers};
    Py_ssize_t count = sizeof(members) / sizeof(*members);

    _Static_assert(sizeof(*numbers) == sizeof(members) / sizeof(*members) * 4,
                   "all members");
    if (!PyTuple_Check(object) || PyTuple_Size(object) != count) {
        PyErr_SetString(PyExc_TypeError, "numbers are a Numbers");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned long long number =
            PyLong_AsUnsignedLongLong(PyTuple_GetItem(object, i));

        if (PyErr_Occurred())
            return false;
        if (number > UINT32_MAX) {
            PyErr_SetString(PyExc_OverflowError, "numbers are modulo 2^32");
            return false;
        }
        *members[i] = (uint32_t)number;
    }
    return true;
}

/* guard(core, key, numbers): see engine.py; the key is a tuple's bytes. */
static PyObject *
door_guard(PyObject *module, PyObject *const *given, Py_ssize_t given_size)
{
    struct syncache_numbers numbers;
    struct syncache_tuple tuple;
    struct syncache *cache;

    (void)module;
    cache = engine_of(given_size == 3 ? given[0] : module,
                      "guard takes a core, a key and numbers");
    if (!cache || !limits_of(given[2], &numbers))
        return NULL;
    if (!PyBytes_Check(given[1]) || PyBytes_Size(given[1]) != sizeof(tuple)) {
        PyErr_SetString(PyExc_TypeError, "a key is the bytes of a tuple");
        return NULL;
    }
    memcpy(&tuple, PyBytes_AsString(given[1]), sizeof(tuple));
    if (!take(given[0]))
        return NULL;
    (void)syncache_guard(cache, &tuple, &numbers);
    give(given[0]);
    return none();
}

#ifdef SYNCACHE_LINK_ATTEND_H

/* Answers what the link has, if the engine is free and needs no new key;
 * otherwise that is left to who receives next. */
static void
attend_now(struct door *door, struct link_attend *attend, double now)
{
    if (now >= door->keys_until || door->closed ||
        __atomic_test_and_set(&door->taken, __ATOMIC_ACQUIRE))
        return;
    (void)link_attend(attend, (struct syncache *)(uintptr_t)door->engine,
                      (uint64_t)(now * 1000 + 0.5));
    __atomic_clear(&door->taken, __ATOMIC_RELEASE);
}

/* Waits for events, and answers what the link has if nothing came for a while.  In
 * a flood a process that is woken for each packet costs clients more than it
 * gains: those that come while Python has its turn are taken together.  Returns
 * as link_wait(). */
static int32_t
wait_attending(struct door *door, struct link_attend *attend, int32_t epoll,
               double timeout, struct link_event event[LINK_EVENTS_MAX])
{
    double began = link_now(), now = began;
    int32_t count = link_wait(epoll, began + timeout, event, &now);

    for (int32_t i = 0; i < count; i++)
        if (event[i].fd == attend->fd && now - began >= attend->quiet)
            attend_now(door, attend, now);
    return count;
}

static PyObject *
events_of(const struct link_event *event, int32_t count)
{
    PyObject *list = PyList_New(0);

    for (int32_t i = 0; list && i < count; i++) {
        PyObject *pair = Py_BuildValue("(iI)", event[i].fd, event[i].events);

        if (!pair || PyList_Append(list, pair) < 0) {
            Py_DECREF(list);
            list = NULL;
        }
        Py_XDECREF(pair);
    }
    return list;
}

/* wait(core, attend, epoll, timeout): see aio/attentive.py; `attend` is the
 * address of a struct link_attend, `timeout` in seconds. */
static PyObject *
door_wait(PyObject *module, PyObject *const *given, Py_ssize_t given_size)
{
    struct link_event event[LINK_EVENTS_MAX];
    struct link_attend *attend;
    double timeout;
    int32_t count;
    long epoll;

    if (!engine_of(given_size == 4 ? given[0] : module,
                   "wait takes a core, attend, epoll and timeout"))
        return NULL;
    attend = (struct link_attend *)PyLong_AsVoidPtr(given[1]);
    epoll = PyLong_AsLong(given[2]);
    timeout = PyFloat_AsDouble(given[3]);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS count =
        wait_attending((struct door *)given[0], attend, (int32_t)epoll,
                       timeout, event);
    Py_END_ALLOW_THREADS if (count < 0 && count != -EINTR)
    {
        errno = -count;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return events_of(event, count);
}

#endif

/* METH_FASTCALL functions have a type of their own. */
#define FAST(function) (PyCFunction)(void (*)(void))(function)

static PyMemberDef door_members[] = {
    {"_engine", T_ULONGLONG, offsetof(struct door, engine), 0, NULL},
    {"_keys_until", T_DOUBLE, offsetof(struct door, keys_until), 0, NULL},
    {"closed", T_BOOL, offsetof(struct door, closed), 0, NULL},
    {NULL, 0, 0, 0, NULL}};
static PyMethodDef door_methods[] = {
    {"__enter__", door_enter, METH_NOARGS, NULL},
    {"__exit__", FAST(door_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};
static PyType_Slot door_slots[] = {
    {Py_tp_members, door_members}, {Py_tp_methods, door_methods}, {0, NULL}};
static PyType_Spec door_spec = {"syncache._door.Door", sizeof(struct door), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                door_slots};

static PyMemberDef place_members[] = {
    {"_ring", T_ULONGLONG, offsetof(struct place, ring), 0, NULL},
    {NULL, 0, 0, 0, NULL}};
static PyMethodDef place_methods[] = {
    {"clear", place_clear, METH_NOARGS,
     "clear($self)\n--\n\nForget every packet."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot place_slots[] = {
    {Py_tp_members, place_members}, {Py_tp_methods, place_methods}, {0, NULL}};
static PyType_Spec place_spec = {"syncache._door.Place", sizeof(struct place),
                                 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                 place_slots};

static PyMethodDef door_functions[] = {
    {"burst", FAST(door_burst), METH_FASTCALL, NULL},
    {"guard", FAST(door_guard), METH_FASTCALL, NULL},
    {"poll", FAST(door_poll), METH_FASTCALL, NULL},
#ifdef SYNCACHE_LINK_ATTEND_H
    {"wait", FAST(door_wait), METH_FASTCALL, NULL},
#endif
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef door_module = {.m_base = PyModuleDef_HEAD_INIT,
                                         .m_name = "_door",
                                         .m_size = -1,
                                         .m_methods = door_functions};

PyMODINIT_FUNC
PyInit__door(void)
{
    PyObject *module = PyModule_Create(&door_module);
    PyObject *door = PyType_FromSpec(&door_spec);
    PyObject *place = PyType_FromSpec(&place_spec);

    if (!module || !door || !place ||
        PyModule_AddObjectRef(module, "Door", door) < 0 ||
        PyModule_AddObjectRef(module, "Place", place) < 0) {
        Py_XDECREF(module);
        Py_XDECREF(door);
        Py_XDECREF(place);
        return NULL;
    }
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    door_type = (PyTypeObject *)door;
    place_type = (PyTypeObject *)place;
    return module;
}
