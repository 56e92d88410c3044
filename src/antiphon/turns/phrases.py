"""Backchannels, commands, fillers and noises over a voice, by language."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

__all__ = ["ASKS_AGAIN", "PHRASES", "Lexicon", "PhraseKind", "Phrases", "lexicon", "words_of"]

PhraseKind = Literal["backchannel", "command", "filler", "noise", "content", "begun"]
"""What a word belongs to: a known phrase; "content" if to none; "begun" if it may begin one ("of ...")."""


class Phrases(NamedTuple):
    """The phrases of one language, separated by commas."""

    backchannels: str
    commands: str
    fillers: str = ""


PHRASES = {
    "en": Phrases(
        "yeah, yea, yep, yup, yes, okay, ok, right, sure, i see, got it, gotcha, alright, all right, "
        "true, exactly, absolutely, definitely, of course, indeed, cool, nice, great, good, perfect, wow, "
        "really, oh really, interesting, makes sense, that makes sense, that's right, that's true, "
        "fair enough, no problem, no worries, no way, sounds good, very good, thank you, thanks, i know, "
        "i understand, huh",
        "stop, wait, hold on, hang on, no, nope, one moment, just a moment, one second, just a second, "
        "excuse me, shut up, be quiet, pause, cancel, never mind, listen, sorry, pardon, nuh uh, mm mm",
        "um, uh, er, erm, uhm, well, like, you know",
    ),
    "de": Phrases(
        "ja, jaja, jo, jap, genau, okay, stimmt, richtig, klar, alles klar, gut, sehr gut, aha, achso, "
        "ach so, ach ja, verstehe, ich verstehe, verstanden, sicher, natürlich, super, prima, schön, "
        "toll, echt, wirklich, danke, eben, ja genau, na klar, kein problem, passt, in ordnung",
        "stopp, stop, halt, warte, warten sie, moment, moment mal, einen moment, sekunde, nein, nee, nö, "
        "stopp mal, entschuldigung, schluss, hör auf, aufhören, abbrechen, wie bitte, hä",
        "äh, ähm, öhm, also, naja, na ja",
    ),
    "fr": Phrases(
        "oui, ouais, d'accord, ok, bien, très bien, c'est bon, c'est vrai, exactement, voilà, je vois, "
        "ah bon, ah oui, bien sûr, parfait, super, je comprends, compris, entendu, merci, tout à fait, "
        "c'est ça, bah oui, ça marche",
        "non, stop, arrête, arrêtez, attends, attendez, un moment, un instant, une seconde, pardon, "
        "excusez moi, excuse moi, minute, ça suffit, taisez vous, tais toi",
        "euh, heu, bah, ben, alors, bon",
    ),
    "es": Phrases(
        "sí, si, vale, claro, claro que sí, ya, ya veo, bueno, bien, muy bien, de acuerdo, exacto, "
        "entiendo, entendido, perfecto, por supuesto, así es, eso es, ajá, genial, gracias, ah sí, ok, "
        "okay, en serio, desde luego",
        "no, para, pare, alto, espera, espere, un momento, un segundo, perdón, perdona, disculpe, "
        "disculpa, basta, detente, cállate, momento",
        "eh, este, pues, em",
    ),
    "it": Phrases(
        "sì, si, va bene, certo, esatto, giusto, capito, ho capito, capisco, okay, ok, bene, perfetto, "
        "d'accordo, vero, ah sì, davvero, grazie, già, eh già, ottimo",
        "no, ferma, fermati, basta, aspetta, aspetti, un attimo, un momento, scusa, scusi, momento, alt, "
        "stop",
        "ehm, beh, cioè, allora",
    ),
    "pt": Phrases(
        "sim, claro, tá, tá bom, está bem, certo, pois, pois é, isso, entendi, percebo, ok, okay, beleza, "
        "exato, perfeito, legal, obrigado, obrigada, ah é, com certeza",
        "não, pare, para, espera, espere, um momento, um segundo, peraí, calma, desculpe, chega, basta",
        "é, éh, então, tipo, bem",
    ),
    "nl": Phrases(
        "ja, jaja, oké, oke, precies, klopt, goed, prima, juist, snap ik, ik snap het, begrijp ik, "
        "inderdaad, zeker, natuurlijk, leuk, mooi, dank je, bedankt, echt waar, ja hoor",
        "nee, stop, wacht, wacht even, momentje, een moment, sorry, pardon, ho, hou op",
        "eh, nou, dus",
    ),
    "ru": Phrases(
        "да, ага, угу, так, понятно, ясно, хорошо, конечно, точно, верно, ладно, понял, поняла, спасибо, "
        "окей, ну да",
        "нет, стоп, подожди, подождите, стой, минуту, секунду, погоди, хватит, извините, простите",
        "э, эм, ну",
    ),
    "hi": Phrases(
        "हाँ, हां, जी, जी हाँ, अच्छा, ठीक है, ठीक, सही, समझ गया, समझ गई, हम्म",
        "नहीं, रुको, रुकिए, एक मिनट, बस, सुनो, सुनिए, माफ़ कीजिए",
        "मतलब, उम, वो",
    ),
    "zh": Phrases(
        "嗯, 嗯嗯, 对, 对对, 是, 是的, 是啊, 好, 好的, 好好, 行, 哦, 噢, 明白, 明白了, 知道了, 没错, "
        "当然, 谢谢",
        "不, 不是, 不对, 等等, 等一下, 停, 停一下, 稍等, 别说了, 不好意思",
        "呃, 那个",
    ),
    "ja": Phrases(
        "はい, はいはい, うん, うんうん, ええ, そう, そうですね, そうですか, そうなんだ, なるほど, ああ, "
        "へえ, へー, 確かに, わかりました, 分かりました, わかった, 了解, ありがとうございます",
        "いいえ, いや, 違います, 違う, 待って, ちょっと待って, 待ってください, ちょっと待ってください, "
        "止めて, やめて, ストップ, すみません",
        "えっと, ええと, あの, あのー, えーと",
    ),
}  # fmt: skip
"""Phrases by language. A phrase that is a command in one of the languages in use is a command."""

_MURMURS = (
    "mhm, mm, mmm, m, hm, hmm, mm hm, mm hmm, mhm hm, m hm, m hmm, hm hm, hmm hmm, uh huh, uhuh, um hum, "
    "um hmm, uhum, aha, ah, oh, oh okay, ah okay, ooh, aah, ha, haha, ha ha, hehe, heh"
)
_NOISES = (
    "you, ahem, achoo, hatschi, pff, pfft, tsk, ugh, brr, phew, cough, sniff, "
    "subtitles by the amara org community, thanks for watching, thank you for watching, please subscribe, "
    "untertitel der amara org community, untertitelung des zdf, "
    "sous titres réalisés par la communauté d'amara org, merci d'avoir regardé cette vidéo, "
    "subtítulos realizados por la comunidad de amara org, gracias por ver el video, "
    "ご視聴ありがとうございました"
)
"""What recognisers write although nobody has spoken."""

ASKS_AGAIN = {("huh",), ("hm",), ("hmm",), ("eh",), ("hein",)}
"""With a question mark these mean "what did you say?"."""

_SOUND = re.compile(r"\[[^\]]*\]?|\([^)]*\)?|\*[^*]*\*?|♪[^♪]*♪?|<[^>]*>?")
"""How recognisers write what is not speech: [cough], (laughs), *sneezes*, ♪ la ♪."""
_APART = re.compile(r"[\s.,;:!?¿¡…\"“”„«»‹›(){}\[\]/、。，！？।·—–-]+")
_DRAWN_OUT = re.compile(r"([^\W\d_]{1,2})\1{2,}")


@lru_cache(8)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, normalised for comparison.

    They are in lower case, without punctuation, marked sounds and drawn-out letters ("yeahhh").

    Cached for the few newest texts, because the agent's text is the same throughout an overlap.
    """
    plain = unicodedata.normalize("NFC", _SOUND.sub(" ", text).casefold().replace("’", "'"))
    return tuple(
        _DRAWN_OUT.sub(r"\1", word)
        for word in _APART.split(plain)
        if any(letter.isalnum() for letter in word)
    )


def _split(phrases: str) -> Iterator[tuple[str, ...]]:
    return filter(None, map(words_of, phrases.split(",")))


@lru_cache(32)
def lexicon(
    languages: tuple[str, ...] = (), backchannels: tuple[str, ...] = (), commands: tuple[str, ...] = ()
) -> "Lexicon":
    """Return the lexicon of these phrases; cached, so all conversations share it."""
    return Lexicon(languages, backchannels, commands)


class Lexicon:
    """The phrases of some languages (of all if none is given), and further ones."""

    def __init__(
        self, languages: Iterable[str] = (), backchannels: Iterable[str] = (), commands: Iterable[str] = ()
    ) -> None:
        chosen = [PHRASES[language] for language in languages] or PHRASES.values()
        layers: tuple[tuple[PhraseKind, Iterable[str]], ...] = (
            ("noise", [_NOISES]),
            ("filler", (phrases.fillers for phrases in chosen)),
            ("backchannel", (_MURMURS, *(phrases.backchannels for phrases in chosen))),
            ("command", (phrases.commands for phrases in chosen)),
            ("backchannel", backchannels),
            ("command", commands),
        )
        self._kinds: dict[tuple[str, ...], PhraseKind] = {
            phrase: kind for kind, texts in layers for text in texts for phrase in _split(text)
        }
        self._longest = max(map(len, self._kinds))
        harmless = (phrase for phrase, kind in self._kinds.items() if kind in ("backchannel", "noise"))
        self._beginnings = {phrase[:end] for phrase in harmless for end in range(1, len(phrase))}

    def kinds(self, words: tuple[str, ...], growing: bool = False) -> list[PhraseKind]:
        """Return the kind of each word: that of the longest phrase that it belongs to.

        If the transcript is still `growing`, the last words may be "begun".
        """
        kinds: list[PhraseKind] = []
        while rest := words[len(kinds) :]:
            for length in range(min(self._longest, len(rest)), 0, -1):
                if kind := self._kinds.get(rest[:length]):
                    kinds += (kind,) * length
                    break
                if growing and length == len(rest) and rest in self._beginnings:
                    kinds += ("begun",) * length
                    break
            else:
                kinds.append("content")
        return kinds
