"""Which layers of a producer are wanted; `_wanted.pxd` shows the way of it.

Theory of operation
What counts is what viewers ask for, not what they happen to be sent: a layer that is refused to a viewer for a moment
must be there when there is room again, and no room would ever be looked for if it were not. It stays wanted as long as
the viewer's estimate could rise to it soon, which is when a few probes could show it: each shows about half as much
again as is used, so REACH times the estimate is some three to four of them, and a few seconds. Beyond that, and beyond
the limit that the service has set to the estimate, the layer would only be sent for nobody. Whoever has room for all of
the encoding below has the next in reach, whatever that costs: more than what flows is not looked for, so nothing else
would ever bring it back.

Whoever wants an encoding wants those below it too: they are what it falls back to when its network, or the
publisher's, narrows. So only from the top something becomes unwanted, and the lowest only when nobody takes the
producer at all.

Estimates change by themselves, and are looked at twice a second where a viewer's was in the way of its wish, or could
be; everything else that matters touches the timer.
"""

from libc.stdint cimport int8_t, int64_t
from libc.string cimport memcmp, memcpy, memset
from mediarouter._events cimport EVENT_WANTED, event_put
from mediarouter._layer_rates cimport layer_rates_guess_bps
from mediarouter._layers cimport LAYER_BEST, LAYER_NONE
from mediarouter._pipe_out cimport pipe_tell_wanted
from mediarouter._plane cimport (
    ENCODINGS_MAX,
    Consumer,
    Downlink,
    Encoding,
    Plane,
    Producer,
    Transport,
    WantedLayers,
)
from mediarouter._timers cimport timer_arm, timer_arm_coarsely, timer_earlier
from mediarouter._uplink_limit cimport uplink_limit_renew

cdef enum:
    QUIET_US = 3000000             # a layer must have been unwanted for so long before its publisher is told
    LOOK_US = 500000               # between two looks at what networks carry
    AGAIN_US = 100000              # until what could not be told is told again
    REACH = 4                      # times a viewer's estimate
    BACK_US = 5000000              # an encoding that flows within this time of being asked for is what was asked for


cdef void wanted_timer(Plane *plane, Producer *producer, int64_t now_us) noexcept nogil:
    cdef WantedLayers *wanted = &producer.wanted
    cdef bint watched = find_wanted(producer, wanted.now)
    cdef int64_t due_us = -1
    if producer.transport.pipe != NULL:
        tell_original(plane, producer)
    if decide(wanted, producer.encoding_count, now_us):
        wanted.unsaid = True
        uplink_limit_renew(plane, producer.transport)
    if wanted.unsaid:
        wanted.unsaid = not event_put(&plane.events, EVENT_WANTED, producer.handle, 0, 0, NULL, 0)
    due_us = quiet_until_us(wanted, producer.encoding_count)
    if wanted.unsaid or (wanted.unpiped and producer.origin):
        due_us = timer_earlier(due_us, now_us + AGAIN_US)
    if due_us >= 0:
        timer_arm(plane.timers, &wanted.timer, max(due_us, now_us + 1))
    if watched and (due_us < 0 or due_us > now_us + LOOK_US):
        timer_arm_coarsely(plane.timers, &wanted.timer, now_us + LOOK_US)


# ---- what is wanted

cdef bint find_wanted(const Producer *producer, int8_t *found) noexcept nogil:
    # True: it depends on a network. What is found never rises from one encoding to the next.
    cdef const Consumer *consumer
    cdef int top = producer.encoding_count - 1
    cdef int i, spatial
    cdef bint watched = False
    memset(found, LAYER_NONE, ENCODINGS_MAX)
    if producer.paused:
        return False
    for i in range(producer.tap_count):
        want(found, top, producer.taps[i].wanted)
    for i in range(producer.consumer_count):
        if found[top] == LAYER_BEST:
            break                  # there is no more
        consumer = producer.consumers[i]
        spatial = min(max(consumer.layers.preferred_spatial, 0), top)
        if consumer.paused or consumer.layers.preferred_temporal <= found[spatial] or is_lost(consumer.transport):
            continue
        if spatial > 0 and consumer.transport.downlink != NULL:
            watched = True
            spatial = reach(consumer.transport.downlink, producer, spatial)
        raise_to(found, spatial, consumer.layers.preferred_temporal)
    return watched or (found[top] != LAYER_NONE and depends(producer))


cdef inline void raise_to(int8_t *found, int spatial, int8_t temporal) noexcept nogil:
    cdef int i
    for i in range(spatial + 1):
        found[i] = max(found[i], max(temporal, <int8_t>0))


cdef inline void want(int8_t *found, int top, const int8_t *wanted) noexcept nogil:
    cdef int i
    for i in range(top + 1):
        found[i] = max(found[i], wanted[i])


cdef bint depends(const Producer *producer) noexcept nogil:
    # what was found may go when an estimate falls
    cdef int i
    if producer.encoding_count == 1:
        return False
    for i in range(producer.consumer_count):
        if producer.consumers[i].transport.downlink != NULL:
            return True
    return False


cdef inline bint is_lost(const Transport *transport) noexcept nogil:
    # its client was there and is not any more; who still connects wants it all by then
    return transport.outbound != NULL and not transport.consent


cdef int reach(const Downlink *downlink, const Producer *producer, int spatial) noexcept nogil:
    # the highest encoding up to this one that the estimate could rise to soon
    cdef int64_t target_bps = downlink.side.target_bps
    cdef int64_t cost_bps
    while spatial > 0:
        cost_bps = known_or_guessed(producer, spatial, producer.encodings[spatial].least_bps)
        if cost_bps <= downlink.side.max_bps and (
                cost_bps <= REACH * target_bps
                or known_or_guessed(producer, spatial - 1, producer.encodings[spatial - 1].usual_bps) <= target_bps):
            break
        spatial -= 1
    return spatial


cdef inline int64_t known_or_guessed(const Producer *producer, int encoding, int64_t known_bps) noexcept nogil:
    return known_bps if known_bps else layer_rates_guess_bps(producer, encoding)


# ---- what is told

cdef bint decide(WantedLayers *wanted, int count, int64_t now_us) noexcept nogil:
    # True: the publisher is to be told
    cdef bint changed = False
    cdef int i
    for i in range(count):
        if wanted.now[i] >= wanted.told[i]:
            if wanted.told[i] == LAYER_NONE and wanted.now[i] > LAYER_NONE:
                wanted.raised_us[i] = now_us
            changed = changed or wanted.now[i] > wanted.told[i]
            wanted.told[i] = wanted.now[i]
            wanted.fallen_us[i] = -1
        elif wanted.fallen_us[i] < 0 or wanted.now[i] < wanted.before[i]:
            wanted.fallen_us[i] = now_us
        elif now_us - wanted.fallen_us[i] >= QUIET_US:
            wanted.told[i] = wanted.now[i]
            wanted.fallen_us[i] = -1
            changed = True
        wanted.before[i] = wanted.now[i]
    return changed


cdef int64_t quiet_until_us(const WantedLayers *wanted, int count) noexcept nogil:
    cdef int64_t due_us = -1
    cdef int i
    for i in range(count):
        if wanted.fallen_us[i] >= 0:
            due_us = timer_earlier(due_us, wanted.fallen_us[i] + QUIET_US)
    return due_us


cdef void tell_original(Plane *plane, Producer *producer) noexcept nogil:
    cdef WantedLayers *wanted = &producer.wanted
    if producer.origin == 0 or not (wanted.unpiped or memcmp(wanted.now, wanted.piped, ENCODINGS_MAX)):
        return
    wanted.unpiped = not pipe_tell_wanted(plane, producer, wanted.now)
    if not wanted.unpiped:
        memcpy(wanted.piped, wanted.now, ENCODINGS_MAX)


cdef void wanted_came_back(Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef const WantedLayers *wanted = &encoding.producer.wanted
    cdef Consumer *consumer
    cdef int i
    if wanted.raised_us[encoding.index] < 0 or now_us - wanted.raised_us[encoding.index] > BACK_US:
        return
    for i in range(encoding.producer.consumer_count):
        consumer = encoding.producer.consumers[i]
        if consumer.layers.preferred_spatial >= encoding.index:
            consumer.allocation.wish.max_spatial = LAYER_NONE      # `_downlink` takes any other wish for a new one
