"""The vocabulary of the embedded model: our own list of words, and the pieces that spell them.

A sentencepiece tokenizer merges pairwise, so a piece can only be reached when every prefix of it is a piece
too. ``pieces`` closes the list under prefixes and fills it to an exact size.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from itertools import chain

SPACE = "\u2581"  # sentencepiece's visible space: a word in running text begins with it
SPECIAL = ("<unk>", "<s>", "</s>")
BYTE_COUNT = 256

# In order of importance: what does not fit any more is left out.
WORDS = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which you were all we one so there when out up if what their more will would who no about can has time
benchmark record records model token tokens second seconds latency throughput average agent agents server
run runs result results collect report summary summarise summarize compare analyse analyze configuration
collector analyst measure measured measurement memory request response total number count rate first last
output input prompt text data value values each per mean median maximum minimum percent difference best
worst fast slow faster slower higher lower same other between under over after before during while then
than also only very most some any many much few every both because however therefore into through against
write list show give make use take find explain describe read send start stop load wait work test tests
performance system process thread core queue cache context length batch quantization parameter parameters
version name date format table line file field key json answer question task step plan note user
following given single short long large small new old good high low full empty real true false
The You We It This In For A An Of And To Write Compare Analyse Analyze Collect Report Summarise Summarize
Explain Describe Give List Each Model Record Benchmark Average Token Result Results Agent Configuration
Please Use Now Here What How Which When If There Then All No Yes
your our its my me us them him her she i do does did done be been being could should may might must shall
like just now here how where why these those such own our well back even still way world people year day
hand part place case week company program point government life child thing man woman home water room mother
area money story fact month lot right study book eye job word business issue side kind head house service
friend father power hour game end member law car city community president team minute idea body
information nothing ago lead social whether watch together follow around parent face anything create public
already speak able month light voice night color
and consistent stable throughput variance deviation sample samples interval confidence estimate error errors
significant regression baseline threshold limit loss gain cost cause effect load contention concurrent
parallel sequential speed efficiency scale machine processor hardware software network disk power energy
important possible local late early hard clear simple certain recent final main next left open close whole
reason level member research moment history policy process market music paper space ground form event official
matter center couple project activity table court produce teach offer remember consider appear buy serve die
build stay fall cut reach kill remain suggest raise pass sell require decide pull
temperature seed random decode prefill generate generation inference language local remote client host port
""".split()  # noqa: SIM905 - a list of quoted words is not readable

# Ends and middles of words that are not in the list, and pairs of digits (a nonce costs half the tokens).
PARTS = """
th he in er an re on at en es or ti te is ar st al nt ed to it ou se le sa si ve ra ld ur ly ing ion ent ment
ness able ally est ers ions ings ive ous ch sh ck ss ll ee oo ea ai un de
""".split()  # noqa: SIM905 - see above


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the vocabulary: its text, and whether the model may say it."""

    text: str
    spoken: bool


def pieces(count: int) -> list[Piece]:
    """``count`` distinct pieces in merge priority order, closed under prefixes.

    A piece is spoken when it is a whole word or a closing mark, so what the model says is words and not
    fragments; the other pieces are there to read prompts.
    """
    words = [SPACE + word for word in dict.fromkeys(WORDS)]
    characters = (c for c in string.printable[:95] if c != " ")
    chosen = dict.fromkeys(chain([SPACE], characters))
    pairs = [first + second for first in string.digits for second in string.digits]
    for text in chain(pairs, PARTS, words):
        missing = [text[:end] for end in range(2, len(text) + 1) if text[:end] not in chosen]
        if len(chosen) + len(missing) <= count:
            chosen.update(dict.fromkeys(missing))
    for text in (a + b for a in string.ascii_lowercase for b in string.ascii_lowercase):
        if len(chosen) < count:
            chosen.setdefault(text)
    spoken = {*words, ".", ","}
    # Words first: as long as a word can still grow from its beginning, no part of its end may merge.
    ordered = sorted(chosen, key=lambda text: (not text.startswith(SPACE), len(text) == 1))
    return [Piece(text, text in spoken) for text in ordered]
