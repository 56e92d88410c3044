"""Processing of PCM: resampling, telephone codecs, wav files, levels, tones.

Audio is `bytes` of little-endian 16-bit samples. Each module is independent and imported by its name.
"""
