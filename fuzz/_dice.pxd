# Dice that fall alike for one seed, in C: splitmix64 (Steele, Lea and Flood, 2014). Eight bytes of state, no bad seeds.
from libc.stdint cimport uint64_t

cdef struct Dice:
    uint64_t state                 # the seed, to begin with

cdef inline uint64_t mixed(uint64_t value) noexcept nogil:
    value = (value ^ (value >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    value = (value ^ (value >> 27)) * <uint64_t>0x94D049BB133111EB
    return value ^ (value >> 31)

cdef inline uint64_t roll(Dice *dice) noexcept nogil:
    dice.state += <uint64_t>0x9E3779B97F4A7C15
    return mixed(dice.state)

cdef inline int below(Dice *dice, int limit) noexcept nogil:       # 0..limit - 1; 0 where there is no choice
    return <int>(((roll(dice) >> 32) * <uint64_t>limit) >> 32) if limit > 1 else 0

cdef inline int either(Dice *dice, int a, int b) noexcept nogil:
    return a if roll(dice) & 1 else b
