"""Does the agent know when the user has finished, and how soon?

The method is that of eot-bench (https://github.com/livekit/eot-bench). A turn has silences of 100 ms and
more: the last one is its end, the others are holds. In each silence a contestant estimates every 100 ms the
probability that the turn is over, from the audio so far. A policy (threshold, minimum delay, timeout) fires
at the first such moment after the delay that reaches the threshold, or at the timeout. Firing inside a hold
is a false cutoff; the time until it fires in the last silence is the latency. All contestants are swept over
the same grid of policies, and the best policy within a budget of false cutoffs counts. No silence is left
out (eot-bench itself ignores holds under 0.2 s and over 5 s).

The contestants are silence alone, Smart Turn alone, and ours (`turns/endpointing.py` as shipped), with and
without the words that the local Whisper hears in the audio up to the silence. Words count from 200 ms of
silence on, as in a live conversation. The data, in eot-bench's schema, comes from a directory; without one,
local data is generated, and the report says so.
"""
