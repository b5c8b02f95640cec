"""The loop that all targets share, without Python from one input to the next.

Theory of operation
An input is an entry of the corpus, mutated, then repaired if the target knows how. It is written to `kept`, memory that
a file stands behind, before a parser sees it; so whatever happens the input that did it is there. It is then copied to
memory of exactly its size: under AddressSanitizer to the heap, else before a page that may not be read.

No coverage leads the way, as the compiler here gives none. In its place a check tells the shape of what the parser
found; an input of a shape not met before joins the corpus. All is as the seed has it: the same seed, the same inputs.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from fuzz._dice cimport Dice, mixed
from fuzz._mutate cimport INPUT_MAX, Corpus, Entry, corpus_add, corpus_pick, corpus_release, mutate
from libc.math cimport log
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *address, size_t size, int protection, int flags, int file, long offset)
    int munmap(void *address, size_t size)
    int mprotect(void *address, size_t size, int protection)
    enum:
        PROT_NONE
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS

cdef extern from *:
    """
    #ifdef __SANITIZE_ADDRESS__
    #define FUZZ_ADDRESS_SANITIZER 1
    #else
    #define FUZZ_ADDRESS_SANITIZER 0
    #endif
    """
    bint ADDRESS_SANITIZER "FUZZ_ADDRESS_SANITIZER"

cdef enum:
    PAGE = 4096
    INPUT_BITS = 1 << 27
    SHAPE_BITS = 1 << 18
    KEPT_HEADER = 2                # bytes of the size, before the input


cdef uint64_t hash_of(const uint8_t *data, int size) noexcept nogil:
    cdef uint64_t value = mixed(<uint64_t>size + 1)
    cdef uint64_t word
    cdef int at = 0
    while at + 8 <= size:
        memcpy(&word, data + at, 8)
        value = mixed(value ^ word) + <uint64_t>0x9E3779B97F4A7C15
        at += 8
    word = 0
    memcpy(&word, data + at, size - at)
    return mixed(value ^ word)


cdef inline bint mark(uint64_t *bits, uint64_t number) noexcept nogil:
    # was it not there yet?
    cdef uint64_t bit = <uint64_t>1 << (number & 63)
    if bits[number >> 6] & bit:
        return False
    bits[number >> 6] |= bit
    return True


cdef void ran(Tally *tally, const uint8_t *data, int size, bint accepted, uint64_t shape) noexcept nogil:
    tally.marked += mark(tally.inputs, hash_of(data, size) & (INPUT_BITS - 1))
    if not accepted:
        tally.refused += 1
        return
    tally.accepted += 1
    if mark(tally.shapes, mixed(shape) & (SHAPE_BITS - 1)):
        tally.shape_count += 1
        tally.new_shape = True


cdef uint8_t *exact(const uint8_t *data, int size) noexcept nogil:
    cdef uint8_t *copied = <uint8_t *>malloc(size)
    memcpy(copied, data, size)
    return copied


cdef bint guard_open(Guard *guard) noexcept nogil:
    cdef int room = 2 * INPUT_MAX
    cdef uint8_t *start = <uint8_t *>mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if <size_t>start == <size_t>-1:
        return False
    guard.end = start + room
    guard.room = room
    return mprotect(guard.end, PAGE, PROT_NONE) == 0


cdef void guard_close(Guard *guard) noexcept nogil:
    if guard.end != NULL:
        munmap(guard.end - guard.room, guard.room + PAGE)
        guard.end = NULL


cdef uint8_t *guarded(Guard *guard, const uint8_t *data, int size) noexcept nogil:
    cdef uint8_t *copied = guard.end - size
    memcpy(copied, data, size)
    return copied


@cython.final
cdef class Loop:
    """Inputs for one target, without end; made by a target's `loop`."""
    cdef check_t check
    cdef repair_t repair
    cdef Corpus corpus
    cdef Dice dice
    cdef Tally tally
    cdef Guard guard
    cdef Py_buffer kept
    cdef bint keeps
    cdef int size
    cdef uint8_t data[INPUT_MAX]

    def __cinit__(self):
        self.tally.inputs = <uint64_t *>calloc(INPUT_BITS // 64, 8)
        self.tally.shapes = <uint64_t *>calloc(SHAPE_BITS // 64, 8)
        if self.tally.inputs == NULL or self.tally.shapes == NULL or not guard_open(&self.guard):
            raise MemoryError

    def __dealloc__(self):
        corpus_release(&self.corpus)
        guard_close(&self.guard)
        free(self.tally.inputs)
        free(self.tally.shapes)
        if self.keeps:
            PyBuffer_Release(&self.kept)

    def run(self, int64_t executions):
        """Make inputs until the parser has run that many times more.

        Raises:
            AssertionError: what it said about one of them is wrong; `input` is the one.
        """
        cdef const char *wrong = NULL
        cdef int64_t end = self.tally.accepted + self.tally.refused + executions
        with nogil:
            while wrong == NULL and self.tally.accepted + self.tally.refused < end:
                if make(self):
                    wrong = hand_over(self)
                    if self.tally.new_shape:
                        corpus_add(&self.corpus, self.data, self.size)
                        self.tally.new_shape = False
        if wrong != NULL:
            raise AssertionError(wrong.decode())

    def again(self, bytes data not None):
        """Run the parser on this input. Raises what `run` does."""
        cdef const char *wrong
        self.size = <int>min(len(data), INPUT_MAX)
        memcpy(self.data, <const char *>data, self.size)
        wrong = hand_over(self)
        if wrong != NULL:
            raise AssertionError(wrong.decode())

    @property
    def input(self):
        """The last one."""
        return (<const char *>self.data)[:self.size]

    @property
    def accepted(self):
        """Runs of the parser that took their input."""
        return self.tally.accepted

    @property
    def refused(self):
        """Runs that did not."""
        return self.tally.refused

    @property
    def distinct(self):
        """About how many of the inputs were different, from the share of hashes that were met. Too few by a hundredth
        at most up to a billion."""
        cdef double free_share = 1 - self.tally.marked / <double>INPUT_BITS
        return round(-INPUT_BITS * log(max(free_share, 1 / <double>INPUT_BITS)))

    @property
    def shapes(self):
        """How many different things the parser has found in what it took."""
        return self.tally.shape_count


cdef bint make(Loop loop) noexcept nogil:
    # False: it is as it was in the corpus, and does not count
    cdef const Entry *base = corpus_pick(&loop.corpus, &loop.dice)
    loop.size = mutate(loop.data, base, &loop.corpus, &loop.dice)
    if loop.repair != NULL:
        loop.size = loop.repair(&loop.dice, loop.data, loop.size)
    return loop.size != base.size or memcmp(loop.data, base.data, loop.size) != 0


cdef const char *hand_over(Loop loop) noexcept nogil:
    cdef const char *wrong
    cdef uint8_t *kept = <uint8_t *>loop.kept.buf
    cdef uint8_t *copied
    if loop.keeps:
        memcpy(kept + KEPT_HEADER, loop.data, loop.size)
        kept[0], kept[1] = <uint8_t>(loop.size >> 8), <uint8_t>loop.size
    if not ADDRESS_SANITIZER:
        return loop.check(&loop.tally, guarded(&loop.guard, loop.data, loop.size), loop.size)
    copied = exact(loop.data, loop.size)
    wrong = loop.check(&loop.tally, copied, loop.size)
    free(copied)
    return wrong


cdef object loop_of(check_t check, repair_t repair, object seeds, object seed, object kept):
    cdef Loop loop = Loop()
    cdef bytes data
    loop.check, loop.repair = check, repair
    loop.dice.state = seed & 0xFFFFFFFFFFFFFFFF
    for entry in seeds:
        data = bytes(entry[:INPUT_MAX])
        corpus_add(&loop.corpus, <const uint8_t *><const char *>data, <int>len(data))
    if loop.corpus.count == 0:
        raise ValueError("a target needs a seed")
    loop.corpus.given = loop.corpus.count
    if kept is not None:
        PyObject_GetBuffer(kept, &loop.kept, PyBUF_WRITABLE)
        loop.keeps = True
        if loop.kept.len < KEPT_HEADER + INPUT_MAX:
            raise ValueError("no room to keep an input")
        memset(loop.kept.buf, 0, loop.kept.len)
    return loop
