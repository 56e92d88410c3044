"""Does the agent know when the user has finished, and how soon?

The definition is that of eot-bench (https://github.com/livekit/eot-bench). A turn has silences of 100 ms and
more: the last is its end, the others are holds. In each, a contestant gives every 100 ms the probability that
the turn is over, from the audio up to then. A policy (threshold, least delay, timeout) fires at the first of
these moments from the delay on that reaches the threshold, or at the timeout. Firing inside a hold is a
false cutoff; when it fires in the last silence is the latency. The policies are swept, the same grid for
all, and the best within a budget counts. Nothing is left out (eot-bench itself leaves out holds under 0.2 s
and over 5 s).

Contestants: silence alone, Smart Turn alone, and ours (`turns/endpointing.py` as shipped), with and without
the words that the local Whisper hears in the audio up to the silence. Words count from 200 ms of silence on,
as they do in a live conversation. Data in eot-bench's schema comes from a directory; without one, local data
is made, which says of itself that it is local.
"""
