"""Phrases that identify machines on the telephone, by meaning and language.

Patterns match text as `plain` returns it: lower case, without punctuation.
"""

import re


def _any(**languages: tuple[str, ...]) -> re.Pattern[str]:
    """Compile a pattern that matches any of the phrases, in all languages.

    A phrase must start at a word boundary.
    """
    every = (phrase for phrases in languages.values() for phrase in phrases)
    return re.compile("|".join(rf"\b(?:{phrase})" for phrase in every))


ASSISTANT = _any(
    en=(
        r"(state|say|record|tell me) your name and (the )?(reason|why|purpose)",
        r"screening service",
        r"see if (this person|they|he|she) is available",
    ),
    de=(r"(nennen|sagen) sie (bitte )?ihren namen und (den )?(grund|warum)",),
    es=(r"(diga|grabe) su nombre y (el )?motivo",),
    fr=(r"(dites|enregistrez) votre nom et (la raison|le motif)",),
)
"""A call screening assistant asks who is calling, before its owner decides whether to answer."""

VOICEMAIL = _any(
    en=(
        r"(?<!want to )(?<!like to )leave (\w+ )?(a|your) (\w+ ){0,2}(message|name|number)",
        r"(after|at) the (tone|beep)",
        r"voice ?mail",
        r"record (a|your) message",
        r"mailbox",
        r"answering machine",
    ),
    de=(
        r"nach dem (signal|piep|pfeif|ton)",
        r"(hinterlassen|sprechen) sie (\w+ ){0,3}nachricht",
        r"mailbox|anrufbeantworter",
    ),
    es=(
        r"deje (un|su) mensaje",
        r"(después|al escuchar|tras) (del|de la|el|la) (tono|señal)",
        r"buzón de voz",
    ),
    fr=(
        r"laisse[zr] (moi |nous )?(un|votre) message",
        r"après le (bip|signal)",
        r"(boîte|messagerie) vocale|répondeur",
    ),
)
"""A machine that records messages."""

UNAVAILABLE = _any(
    en=(
        r"(can ?t|cannot|can not|unable to) (come to|answer|take) (the|your) (phone|call)",
        r"(not|un) ?available (right now|at the moment|to take|to answer)",
        r"get back to you",
    ),
    de=(r"zur ?zeit nicht (erreichbar|verfügbar|da)",),
    es=(r"no (está|se encuentra) disponible",),
    fr=(r"(pas|actuellement) (disponible|joignable)",),
)
"""Somebody is not available, as a machine or another person says."""

NUMBER = "[0-9*#]|zero|one|two|three|four|five|six|seven|eight|nine|star|pound|hash"

MENU = _any(
    en=(
        rf"(press|dial|enter|push|select) (the )?(number )?(?:{NUMBER})(?!\w)",
        r"(listen|choose) (carefully|from) (\w+ ){0,3}(as|options)",
        r"our menu options",
        r"main menu",
        r"for (english|spanish)",
    ),
    de=(r"(drücken|wählen) sie (bitte )?(die )?[0-9*#]", r"(drücken|wählen) sie die \w+", r"hauptmenü"),
    es=(r"(pulse|marque|presione|oprima) (el |la )?\w+", r"menú principal"),
    fr=(r"(tapez|appuyez sur|faites) (le |la )?\w+", r"menu principal"),
)
"""A menu that asks for a key."""

WAITING = _any(
    en=(
        r"you (ve|have) reached",
        r"please (hold|wait|stay on the line)",
        r"(one|just a) moment",
        r"(connect|transferr?)ing you",
        r"your call (is|may|will|has)",
        r"call (may|will) be recorded",
        r"thank(s| you)",
        r"all (of )?our (agents|operators|representatives)",
    ),
    de=(r"bitte (warten|bleiben)", r"sie (haben|sind) (\w+ ){0,2}(erreicht|verbunden)", r"einen moment"),
    es=(r"(espere|permanezca)", r"se ha comunicado con", r"un momento", r"gracias por llamar"),
    fr=(r"(veuillez )?patiente[zr]", r"vous êtes bien", r"un instant", r"merci d appeler"),
)
"""An announcement that something else will follow, so nobody has answered yet."""

QUESTION = _any(
    en=(
        r"how (can|may) i help",
        r"who (is|s) (this|calling|speaking)",
        r"\bspeaking$",
        r"what can i do",
        r"(can|may) i take a message",
    ),
    de=(r"was kann ich für sie", r"wer (ist|spricht) da", r"am apparat$"),
    es=(r"(en qué|cómo) (le )?puedo ayudar", r"quién (es|habla)"),
    fr=(r"que puis je", r"(qui est|c est qui)", r"à l appareil$"),
)
"""What a person says who waits for an answer."""


def find_phrase(phrases: re.Pattern[str], words: str) -> str:
    """Return the first match of the phrases in the words, or ""."""
    match = phrases.search(words)
    return match.group().strip() if match else ""


def plain(text: str) -> str:
    """Normalise a text: lower case, words and question marks only."""
    return " ".join(re.findall(r"[\w*#]+|\?", text.lower()))
