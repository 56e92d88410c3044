"""Sentences to eight agents, from which the weights of tool routing are learnt."""

from antiphon.context import ToolSpec

from .local_dialogue_cases import TEXT, WHOLE, Case, tool

LEARNT_FROM: dict[str, tuple[tuple[ToolSpec, ...], tuple[Case, ...]]] = {
    "clinic": (
        (
            tool("free_slots", "The free appointments on a day.", day=TEXT),
            tool("cancel_appointment", "Cancel the caller's appointment.", patient=TEXT),
            tool(
                "test_results",
                "Whether the results of a test have come.",
                patient=TEXT | {"description": "the patient's name"},
            ),
        ),
        (
            Case("tool", "Can I see the doctor on Thursday?", "free_slots"),
            Case("tool", "Hello, I have to cancel, my name is Linda Moss.", "cancel_appointment"),
            Case("tool", "Have my blood results arrived? It's Peter Hale.", "test_results"),
            Case("tool", "Do you have anything free tomorrow morning?", "free_slots"),
            Case(
                "tool",
                "Oh, and is something free on Monday, too?",
                "free_slots",
                before=("When could I come on Friday?", "On Friday there is nine thirty and"),
            ),
            Case("field", "I have had a headache since yesterday."),
            Case("field", "Do I have to fast before a blood test?"),
            Case("field", "Is the doctor a woman or a man?"),
            Case("field", "Good morning!"),
            Case("field", "Thank you very much, see you then."),
            Case(
                "field",
                "Sorry, where can I park?",
                before=("Can I see the doctor on Friday?", "Yes, on Friday the doctor"),
            ),
            Case("off topic", "The sky was orange over the harbour."),
            Case("off topic", "How many legs does a spider have?"),
            Case("off topic", "My son has started school this week."),
        ),
    ),
    "hotel": (
        (
            tool("room_service", "Order food or drinks to a room.", item=TEXT, room=WHOLE),
            tool("wake_up_call", "Set a wake-up call.", time=TEXT),
            tool(
                "wifi_password",
                "The password of the wireless network.",
            ),
        ),
        (
            Case("tool", "What's the wifi password?", "wifi_password"),
            Case("tool", "Could you wake me up at six thirty?", "wake_up_call"),
            Case("tool", "I'd like a club sandwich in room 12, please.", "room_service"),
            Case("tool", "how do I get online here", "wifi_password"),
            Case("tool", "Send two coffees up to room thirty one.", "room_service"),
            Case(
                "tool",
                "Actually, can you make that seven o'clock?",
                "wake_up_call",
                before=("Please wake me at six.", "Your wake-up call is set for"),
            ),
            Case("field", "Is there a swimming pool?"),
            Case("field", "What can one see in the old town?"),
            Case("field", "The bed in my room is very comfortable."),
            Case("field", "It's rather noisy up here."),
            Case("field", "Can you recommend a restaurant nearby?"),
            Case("field", "Hi, how are you tonight?"),
            Case("off topic", "Who painted the Mona Lisa?"),
            Case("off topic", "A pot of tea helps to pass the evening."),
            Case("off topic", "What is twelve times twelve?"),
            Case(
                "off topic",
                "I used to play the violin as a child.",
                before=("Is breakfast included?", "Yes, breakfast is served from"),
            ),
        ),
    ),
    "bank": (
        (
            tool(
                "account_balance",
                "Tell the balance of the caller's account.",
            ),
            tool(
                "block_card",
                "Block a card that was lost or stolen.",
                kind=TEXT | {"enum": ["credit", "debit"]},
            ),
            tool("exchange_rate", "The rate of a currency against the euro.", currency=TEXT),
        ),
        (
            Case("tool", "How much money do I have left?", "account_balance"),
            Case("tool", "Somebody stole my credit card!", "block_card"),
            Case("tool", "What do I get for Swiss francs today?", "exchange_rate"),
            Case("tool", "I can't find my debit card anywhere.", "block_card"),
            Case(
                "tool",
                "No, sorry, I meant the dollar.",
                "exchange_rate",
                before=("What is the rate of the pound?", "The pound stands at"),
            ),
            Case("field", "How do I open an account for my daughter?"),
            Case("field", "Are my savings safe with you?"),
            Case("field", "What is the difference between a credit and a debit card?"),
            Case("field", "I was a customer here thirty years ago."),
            Case("field", "Thanks, that's all."),
            Case("off topic", "The fish twisted and turned on the bent hook."),
            Case("off topic", "What's the longest river in Africa?"),
            Case("off topic", "She had your dark suit in greasy wash water all year."),
        ),
    ),
    "weather": (
        (tool("forecast", "The weather forecast for a city.", city=TEXT),),
        (
            Case("tool", "Will it rain in Berlin?", "forecast"),
            Case("tool", "Do I need an umbrella in London", "forecast"),
            Case(
                "tool",
                "And what about Rome?",
                "forecast",
                before=("What's the weather in Paris?", "In Paris it is going to be"),
            ),
            Case("tool", "how warm is it in Madrid right now", "forecast"),
            Case("field", "Why is the sky blue?"),
            Case("field", "I like it when it snows."),
            Case("field", "Hello there!"),
            Case("off topic", "Tell me something about elephants."),
            Case("off topic", "We moved here from Chicago last year."),
            Case("off topic", "The box was thrown beside the parked truck."),
            Case("off topic", "I am so tired today."),
            Case(
                "off topic",
                "Never mind, what do you like to read?",
                before=("Is it windy in Oslo?", "In Oslo there is"),
            ),
        ),
    ),
    "garage": (
        (
            tool("repair_status", "Whether a car is ready.", plate=TEXT | {"description": "number plate"}),
            tool("book_inspection", "Book an inspection of a car.", day=TEXT),
        ),
        (
            Case("tool", "Is my car done yet? The plate is KX 20 51.", "repair_status"),
            Case("tool", "I need an inspection next Tuesday.", "book_inspection"),
            Case("tool", "Can you check over my car on Friday?", "book_inspection"),
            Case("field", "My engine makes a strange noise."),
            Case("field", "Do you sell used cars?"),
            Case("field", "How often should I change the oil?"),
            Case(
                "field",
                "Wait, do you also do motorbikes?",
                before=("Is my car ready?", "To look that up I need the"),
            ),
            Case("off topic", "When was the First World War?"),
            Case("off topic", "The stray cat gave birth to kittens."),
            Case("off topic", "Let's talk about football."),
        ),
    ),
    "taxi": (
        (
            tool("order_taxi", "Send a taxi to an address.", address=TEXT),
            tool(
                "taxi_arrival",
                "In how many minutes the ordered taxi arrives.",
            ),
            tool(
                "fare_estimate", "What a ride costs from one place to another.", start=TEXT, destination=TEXT
            ),
        ),
        (
            Case("tool", "I need a taxi to 14 Baker Street.", "order_taxi"),
            Case("tool", "Where is my taxi, how long will it take?", "taxi_arrival"),
            Case("tool", "How much is it from the airport to the main station?", "fare_estimate"),
            Case("tool", "Please pick me up at the Grand Hotel.", "order_taxi"),
            Case("tool", "My cab still isn't here.", "taxi_arrival"),
            Case("field", "Can I pay by card?"),
            Case("field", "Is there room for a wheelchair?"),
            Case("field", "The last driver was singing all the way."),
            Case("field", "Hello, good evening."),
            Case("off topic", "I have lost my keys again."),
            Case("off topic", "Who invented the telephone?"),
            Case("off topic", "The ship was torn apart on the sharp reef."),
            Case(
                "off topic",
                "What do you think about opera?",
                before=("I need a cab to the theatre.", "Your taxi to the theatre will"),
            ),
        ),
    ),
    "library": (
        (
            tool("find_book", "Whether the library has a book.", title=TEXT),
            tool(
                "renew_loans",
                "Extend the loans of a reader.",
                card=WHOLE | {"description": "library card number"},
            ),
            tool(
                "events_this_week",
                "Readings and events this week.",
            ),
        ),
        (
            Case("tool", "Have you got Moby Dick?", "find_book"),
            Case("tool", "I'm looking for The Great Gatsby.", "find_book"),
            Case("tool", "Could I keep my books longer? My card is 20 44.", "renew_loans"),
            Case("tool", "Is there anything going on this week?", "events_this_week"),
            Case("tool", "please extend my loans card number seven", "renew_loans"),
            Case(
                "tool",
                "And Robinson Crusoe, do you have that?",
                "find_book",
                before=("Do you have Treasure Island?", "Yes, Treasure Island is"),
            ),
            Case("field", "I love the smell of old books."),
            Case("field", "Do I have to be quiet in the reading room?"),
            Case("field", "How do I become a member?"),
            Case("field", "Thanks a lot, bye."),
            Case("field", "Who wrote Moby Dick?"),
            Case("off topic", "What's the weather like on Mars?"),
            Case("off topic", "Four hours of steady work faced us."),
            Case("off topic", "My cat is called Oscar."),
        ),
    ),
    "home": (
        (
            tool(
                "set_light",
                "Switch the light in a room on or off.",
                room=TEXT,
                state=TEXT | {"enum": ["on", "off"]},
            ),
            tool("set_timer", "Start a timer.", minutes=WHOLE),
            tool("play_music", "Play music.", artist=TEXT | {"description": "artist or kind of music"}),
            tool("add_to_list", "Put something on the shopping list.", item=TEXT),
        ),
        (
            Case("tool", "Turn off the light in the kitchen.", "set_light"),
            Case("tool", "Set a timer for ten minutes.", "set_timer"),
            Case("tool", "Play some jazz.", "play_music"),
            Case("tool", "Put milk on the shopping list.", "add_to_list"),
            Case("tool", "We need eggs and butter.", "add_to_list"),
            Case("tool", "Can you remind me in twenty minutes?", "set_timer"),
            Case("tool", "Could you switch the bedroom lamp on?", "set_light"),
            Case("tool", "I'd like to hear the Beatles.", "play_music"),
            Case("field", "How are you today?"),
            Case("field", "What can you do?"),
            Case("field", "Our living room is very large."),
            Case("field", "My favourite band broke up last year."),
            Case("field", "How long do I boil an egg?"),
            Case("off topic", "What is the tallest mountain on earth?"),
            Case("off topic", "The swan dive was far short of perfect."),
            Case(
                "off topic",
                "I think it's going to rain.",
                before=("Play some rock.", "Now playing rock music from"),
            ),
        ),
    ),
}
