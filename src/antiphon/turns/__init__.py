"""Turn taking: who has the floor.

- `vad` turns probabilities of speech into stretches of speech;
- `table` has every rule (state, fact, what is done, what follows), `engine` runs it, and `user_turn` and
  `overlap` are what is done about the user's turn and about speech over the agent;
- `endpointing` says whether the user has finished, with `word_rules`, `pauses` and `utterance`;
- `interruption` tells a barge-in from a backchannel, a noise and an echo, with `phrases`;
- `backchannels`, `idle`, `timing` and `mute`: the agent's "mhm", its prompts, its pauses, a muted user;
- `settings` is the policy, every number of the above; `policy` reads it from a file;
- `turn_taking` is the stage of the pipeline around the engine;
- `recorded_call` and `what_if` decide a recorded call again, under another policy.
"""
