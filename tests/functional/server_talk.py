"""What the tests of conversations and analyses share: turns that are held, slowed down and read to their end."""
from server_harness import ServerCase

MODEL = "rehearsal"
UNKNOWN = "conv_00000000-0000-4000-8000-000000000000"
FACTS = ("Open a bicycle repair shop in Lyon. The budget is 80 000 EUR and it should be finished by June 2027. "
         "We are 3 people. We must not sell new bicycles. That is all.")
SECRET = "words of a provider"
# An answer in several deltas, and how many events of the rehearsal server there are up to the first of them.
LONG = "".join("Sentence %d tells nothing new about bicycles. " % n for n in range(1, 260)).strip()
FIRST_DELTA = 11


def names(events):
    return [event.name for event in events]


def texts(events, kind="response.output_text.delta"):
    return [event.value["delta"] for event in events if event.name == kind]


class TurnCase(ServerCase):
    def conversation(self, api=None, model=MODEL):
        made = (api or self.api).call("createConversation", 200, body={"model_key": model}).json()
        self.assertTrue(made["created"])
        return made["conversation_id"]

    def view(self, id_, api=None):
        return (api or self.api).get("getConversation", id=id_)

    def prepare(self, id_, text=FACTS, api=None, status=200, **fields):
        return (api or self.api).call("prepareTurn", status, id=id_, body={"model_key": MODEL, "user_message": text, **fields}).json()

    def follow_up(self, id_, text=FACTS, api=None, status=200, **fields):
        return (api or self.api).call("runFollowup", status, id=id_, body={"model_key": MODEL, "user_message": text, **fields}).json()

    def open(self, id_, token, last=None, api=None, **query):
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        return (api or self.api).stream("streamTurn", {"token": token, **query}, headers, id=id_)

    def turn(self, id_, text=FACTS, api=None, **fields):
        """A whole streamed turn; its events."""
        with self.open(id_, self.prepare(id_, text, api, **fields)["token"], api=api) as stream:
            return list(stream)

    def slow(self, ms=100, times=1):
        """The next answer to a message is long and comes slowly; the form comes at once."""
        self.script({"delay": {"between": ms}, "text": LONG}, repeat=times, call="intake/reply/2")

    def stuck(self):
        """The first answer to a message stops behind the first piece of its text and never ends."""
        self.script({"connection": "stall", "after_events": FIRST_DELTA, "text": LONG}, repeat=0, call="intake/reply/2")

    def stuck_turn(self, api=None, id_=None):
        """A turn that has told a part of its text and goes no further: conversation, token, stream, events so far."""
        self.stuck()
        id_ = id_ or self.conversation(api)
        token = self.prepare(id_, "Open a bicycle shop", api)["token"]
        stream = self.open(id_, token, api=api)
        events = [next(iter(stream))]
        while events[-1].name != "response.output_text.delta":
            events.append(next(iter(stream)))
        return id_, token, stream, events

    def rows(self, sql, *values, box=None):
        return (box or self.box).rows(sql, *values)

    def calls_of(self, id_, box=None):
        return self.rows("SELECT stage, status, error_code FROM llm_interactions WHERE owner_id = ? ORDER BY id", id_, box=box)
