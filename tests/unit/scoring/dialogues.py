"""A call whose words are known."""

from __future__ import annotations

REPAIR = (
    ("agent", "Thank you for calling Northwind Support. My name is Daniel. This call may be recorded for training. How can I help you today?"),
    ("customer", "Hello. My internet connection has been terrible for three days, and I am very angry about it."),
    ("agent", "I am sorry to hear that. Could you please tell me your account number, so that I can have a look?"),
    ("customer", "Sure, the account number is four seven one two nine."),
    ("agent", "Thank you. I can see that the router in your area was replaced on Monday. Let me restart the line from here."),
    ("customer", "Okay, I will wait. It looks like the lights are green now. Yes, it works again."),
    ("agent", "I am glad to hear that. Is there anything else that I can do for you?"),
    ("customer", "No, that is all. That was great, thank you very much for your help."),
    ("agent", "You are welcome. Thank you for calling Northwind. Have a nice day. Goodbye."),
)


def words_of(speaker: str) -> str:
    """All that one of them says."""
    return " ".join(text for who, text in REPAIR if who == speaker)
