"""PCM, and nothing but PCM: rates, telephone codes, wav files, levels.

Sound is `bytes` of little-endian 16-bit samples. Each module stands alone and is imported by name.
"""
