"""Synthetic mail: one Markov chain of words for each of two hand-written vocabularies."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pandas as pd

Chain = dict[str, list[str]]

START, END = "<start>", "<end>"
STRAY = 0.1  # the share of sentences that a message takes from the other vocabulary

BOTH = """
thank you for your message
please reply to this message
please call me at 5 today
i hope you are well
see you soon
have a nice day
"""

LEGITIMATE = """
the meeting is moved to 10:30 on thursday
can we have lunch on friday after the meeting
i sent you the report and the figures this morning
please read the second chapter of the report before the meeting
the train was late so i missed the first talk
your parcel is with the neighbour on the second floor
could you look at the draft i sent on monday
the children have a concert at school this evening
i will bring the bread and the cheese for lunch
we need 3 more chairs for the concert
the figures of the draft are at https://wiki.example.org/figures
my mother will visit us in the first week of may
the garden needs some rain this week
do you know a good book about the history of rain
i will be late this evening because of the train
the new version of the draft fixes the figures
who will write the minutes of the talk on friday
the key is under the pot in the garden
"""

SPAM = """
you have won a free prize of 5000 dollars
claim the prize now at http://prizes.example.com/claim
this offer ends today so act now
lose 10 pounds in one week with this secret pill
your account has been selected for a cash reward
click www.example.com/reward to claim your cash
earn 900 dollars a week from your own sofa
only 3 places left so reply now to claim one
cheap watches and free delivery for you today
no doctor needed to buy the pill at half price
a lonely prince needs your account for one week
double your cash with this secret offer
you have been selected so click now for free delivery
the best price for your gold is at www.example.com/gold
buy two watches and get one free
your prize is waiting and the offer ends soon
send 50 dollars now and earn 5000 in one week
"""


def generate(count: int, seed: int) -> pd.DataFrame:
    """Generate labelled messages, half of them spam on average."""
    rng = np.random.default_rng(seed)
    labels = ["legitimate", "spam"]
    chains = [_chain(BOTH + LEGITIMATE), _chain(BOTH + SPAM)]
    kinds = rng.integers(2, size=count)
    texts = [_message(chains[kind], chains[1 - kind], rng) for kind in kinds]
    return pd.DataFrame({"text": texts, "label": [labels[kind] for kind in kinds]})


def _chain(vocabulary: str) -> Chain:
    """List the followers of each word, with repetitions."""
    followers = defaultdict(list)
    for sentence in filter(None, vocabulary.splitlines()):
        for word, follower in pairwise([START, *sentence.split(), END]):
            followers[word].append(follower)
    return dict(followers)


def _message(own: Chain, other: Chain, rng: np.random.Generator) -> str:
    """Generate a few sentences, occasionally one of the other kind."""
    count = rng.integers(2, 6)
    return " ".join(_sentence(other if rng.random() < STRAY else own, rng) for _ in range(count))


def _sentence(chain: Chain, rng: np.random.Generator) -> str:
    """Walk through a chain from its start to an end."""
    words = [START]
    while words[-1] != END:
        options = chain[words[-1]]
        words.append(options[rng.integers(len(options))])
    return " ".join(words[1:-1])
