"""Sentences of many languages, which nobody has to name: a bar stands where a text is cut."""

import re

import pytest

from antiphon.services.cutting import LONGEST, Cutter

CASES = [
    line.strip().partition("  ")[::2]
    for line in """
    en  Hello World. | My name is Jonas.
    en  What is your name? | My name is Jonas.
    en  There it is! | I found it.
    en  My name is Jonas E. Smith.
    en  Please turn to p. 55.
    en  Were Jane and co. at the party?
    en  They closed the deal with Pitt, Briggs & Co. at noon.
    en  Let's ask Jane and co. | They should know.
    en  I can see Mt. Fuji from here.
    en  St. Michael's Church is on 5th st. near the light.
    en  I live in the E.U. | How about you?
    en  I have lived in the U.S. for 20 years.
    en  She has $100.00 in her bag.
    en  She has $100.00. | It is in her bag.
    en  He teaches science (He previously worked for 5 years as an engineer.) at the local University.
    en  Her email is Jane.Doe@example.com. | I sent her an email.
    en  The site is: https://www.example.50.com/new-site/awesome_content.html. | Please check it out.
    en  She turned to him, 'This is great.' she said.
    en  Hello!! | Long time no see.
    en  Hello?! | Is that you?
    en  You can find it at N°. 1026.253.553. | That is where the treasure is.
    en  I see Dr. Smith and Mrs. Jones at 5 p.m. on Jan. 3rd.
    en  We open at 9 a.m. | Come by.
    en  It costs 3.5 dollars, approx. 3 euros. | Fine?
    en  Bring fruit, e.g. apples, i.e. not cake.
    en  Version 2.0.1 is out. | Update now.
    en  Call 555.123.4567 now. | We wait.
    en  I'm done... | Really.
    en  Well ... maybe not.
    en  Yahoo! is a company.
    en  Ask Prof. Dr. Meyer, Ph.D., of Dept. 4. | He knows.
    en  No. 5 is ready. | Take it.
    en  No. | That is wrong.
    en  The meeting is Mon. to Fri. at ten. | Okay?
    en  See fig. 3, vol. 2, pp. 4 ff. for more.
    en  He said "Stop." | Then he left.
    en  Is it you and I? | Yes, it is I. | Good.
    de  Das ist z. B. ein Fahrrad. | Es ist neu.
    de  Das ist z.B. ein Fahrrad. | Es ist neu.
    de  Der Termin ist am 3. Mai um 10 Uhr. | Passt das?
    de  Dr. med. Weber ist ca. um 9 Uhr da. | Bis dann.
    de  Wir haben Mo. bis Fr. auf, u. a. für Reparaturen, usw. | Kommen Sie vorbei.
    de  Die Nr. 4 in der Hauptstr. 12 ist frei.
    de  Das kostet 1.250,50 Euro. | Ist das in Ordnung?
    de  Ich bin Frau Meier bzw. Herr Meier. | Wer sind Sie?
    de  Am 24. 12. 2026 ist zu. | Danach offen.
    de  Herr Dr. A. Müller kommt, d. h. er ist unterwegs.
    fr  M. Dupont et Mme. Durand arrivent. | Entrez !
    fr  Bonjour ! | Comment allez-vous ? | Bien.
    fr  C'est au no. 5, av. Foch. | Voilà.
    fr  Elle a dit « Bonjour. » | Puis elle est partie.
    es  El Sr. García y la Sra. López llegan. | ¿Vale?
    es  ¿Cómo está? | Bien, gracias. | ¡Adiós!
    es  Ud. puede llamar al núm. 5 en la Av. Central. | Gracias.
    es  Cuesta 1.500 €. | Es barato.
    es  En EE. UU. vive mi primo. | Es médico.
    it  Il sig. Rossi e la dott.ssa Bianchi arrivano. | Bene.
    it  Sono le ore 9.30 circa. | Ciao!
    pt  O Sr. Silva e a Dra. Costa chegaram. | Tudo bem?
    pt  São aprox. 10 km até a Av. Paulista. | Ok.
    nl  Dhr. de Vries komt o.a. morgen. | Goed?
    nl  Dat kost bijv. 5 euro. | Prima.
    pl  Jest godz. 9, np. ul. Długa 5. | Dobrze?
    pl  Pan dr Kowalski i prof. Nowak są tu. | Tak.
    ru  Это стоит 5 руб. за кг. | Хорошо?
    ru  А. С. Пушкин родился в 1799 г. в Москве. | Да.
    ru  Мы открыты с 9 до 18, т. е. весь день.
    tr  Dr. Yılmaz saat 9.30'da gelir. | Tamam mı?
    zh  你好。|今天天气很好！|你呢？
    zh  他说:“好的。”|然后走了。
    zh  价格是3.5元。|可以吗？
    ja  こんにちは。|元気ですか？|はい！
    ja  価格は3.5円です。|いいですか？
    ko  안녕하세요. | 반갑습니다. | 3.5 킬로입니다.
    hi  नमस्ते। | आप कैसे हैं? | मैं ठीक हूँ।
    hi  डॉ. शर्मा आए। | वे ठीक हैं।
    hi  कीमत 3.5 रुपये है। | ठीक है?
    bn  আমি ভালো আছি। | আপনি কেমন আছেন?
    ar  مرحبا. | كيف حالك؟ | أنا بخير.
    ar  السعر 3.5 دولار. | هل هذا جيد؟
    fa  سلام. | حال شما چطور است؟ | خوبم.
    ur  میں ٹھیک ہوں۔ | آپ کیسے ہیں؟
    el  Γεια σας. | Τι κάνετε; | Καλά.
    hy  Բարև։ | Ինչպե՞ս եք։ | Լավ։
    am  ሰላም። | እንዴት ነህ? | ደህና።
    my  မင်္ဂလာပါ။ | နေကောင်းလား။
    mr  नमस्कार. | तुम्ही कसे आहात? | मी ठीक आहे.
    ta  வணக்கம். | நீங்கள் எப்படி இருக்கிறீர்கள்? | நன்றாக இருக்கிறேன்.
    th  สวัสดีครับ ยินดีต้อนรับ
    en  Good morning, this is Dr. Chen's office. | How may I help you?
    en  Your order no. 4471 shipped on Dec. 5 via FedEx. | It arrives Friday.
    en  We're at 221B Baker St. in London. | Come in!
    en  The total is $1,299.99 incl. tax. | Shall I book it?
    en  He works at Apple Inc. and lives nearby.
    en  Sorry, I can't do that. | But I can ask a colleague.
    en  Press 1 for sales. | Press 2 for support.
    en  Mr. and Mrs. O'Neil, vs. the city, won. | Great news.
    en  Wait... what? | Say it again.
    en  The flight leaves at 6:45 p.m. | Gate 12 is open.
    en  Type 'yes.' to go on. | Or wait.
    en  I like it! | And you?
    en  We met Sen. Warren and Gov. Newsom.
    en  Is 10 a.m. okay? | If not, say so.
    en  My ID is A.B.C. 123. | Thanks.
    en  He was born in 1999. | She was born in 2001.
    de  Guten Tag, hier ist Fa. Müller. | Wie kann ich helfen?
    de  Ihr Termin ist am 12. Juni um 14.30 Uhr. | Bis dann!
    de  Das dauert max. 3 Tage. | Reicht das?
    de  Sie erreichen uns unter Tel. 030 123. | Danke.
    de  Das sind 5 % bzw. 10 Euro. | Gut?
    de  Er ist im 2. Stock. | Links.
    fr  Le rendez-vous est à 14 h 30. | D'accord ?
    fr  C'est ok, p. ex. lundi. | Merci !
    es  ¡Hola! | ¿En qué puedo ayudarle?
    it  L'ing. Bianchi è in ufficio. | Vuole parlargli?
    pt  O Dr. Souza atende às 15h. | Pode vir?
    nl  Mevr. Jansen is er om 9.00 uur. | Tot dan!
    pl  Proszę zadzwonić o godz. 15. | Dziękuję.
    ru  Здравствуйте! | Чем могу помочь? | Цена 5 тыс. рублей.
    tr  Merhaba! | Size nasıl yardımcı olabilirim? | Saat 15.30 uygun mu?
    zh  您好，请问有什么可以帮您？|好的。|请稍等！
    ja  お電話ありがとうございます。|ご用件は何でしょうか？
    ko  감사합니다. | 무엇을 도와드릴까요? | 네.
    hi  आपका स्वागत है। | मैं कैसे मदद करूँ? | धन्यवाद।
    bn  ধন্যবাদ। | আবার আসবেন।
    ar  أهلا وسهلا. | كيف أساعدك؟ | شكرا.
    he  שלום. | איך אפשר לעזור? | תודה.
    el  Καλημέρα. | Πώς μπορώ να βοηθήσω; | Ευχαριστώ.
    uk  Вітаю! | Чим можу допомогти? | Ціна 20 грн. за шт.
    sv  Hej, kl. 9 passar bra. | Vi ses!
    fi  Hei! | Aukiolo on esim. 9–17. | Tervetuloa.
    ur  شکریہ۔ | خدا حافظ۔
    vi  Xin chào. | Tôi có thể giúp gì? | Cảm ơn.
    id  Halo! | Ada yang bisa dibantu? | Terima kasih.
""".strip().splitlines()
]


def tokens(text: str) -> list[str]:
    """Cut a text as a language model writes it: words with the space before them, or characters."""
    wide = re.search("[\u3000-\u9fff]", text)
    return list(text) if wide else re.findall(r"\s*\S+", text)


@pytest.mark.parametrize(("language", "marked"), CASES)
def test_a_text_is_cut_where_its_sentences_end(language: str, marked: str) -> None:
    text = re.sub(r"( ?)\|( ?)", r"\1", marked)
    cutter, pieces, at = Cutter(early=False), list[str](), 0
    for token in tokens(text):
        pieces += [piece.text for piece in cutter.feed(token, at)]
        at += len(token)
    pieces += [piece.text for piece in cutter.flush()]
    assert pieces == [part.strip() for part in marked.split("|")]


def test_the_end_of_a_sentence_is_known_with_the_next_token() -> None:
    for text, following in (
        ("It is nine.", " We"),
        ("नमस्ते।", " आप"),
        ("你好。", "今"),
        ("كيف حالك؟", " أنا"),
    ):
        cutter = Cutter(early=False)
        pieces = [*cutter.feed(text, 0), *cutter.feed(following, len(text))]
        assert [piece.text for piece in pieces] == [text]


def test_text_without_an_end_is_searched_in_no_time() -> None:
    text = "Dr. no. a.b. 「" * 4000
    pieces = [piece.text for piece in Cutter(early=False).feed(text, 0)]
    assert all(len(piece) <= LONGEST for piece in pieces)
