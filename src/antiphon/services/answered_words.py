"""The words of a recogniser that were not answered before."""

__all__ = ["after_answered"]


def after_answered(answered: str, text: str) -> str:
    """Return what a text says after words that were answered.

    The vendor may spell those differently by now. A text that begins with other words is returned whole.
    """
    told, place = _letters(answered), 0
    for at, sign in enumerate(text):
        if place == len(told):
            return text[at:].lstrip(" .,;:!?…")
        if sign.isalnum():
            if sign.lower() != told[place]:
                break
            place += 1
    else:
        return ""
    before, words = answered.split(), text.split()
    same = sum(_letters(one) == _letters(other) for one, other in zip(before, words, strict=False))
    return " ".join(words[len(before) :]) if same * 2 >= len(before) else text


def _letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())
