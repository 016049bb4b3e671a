"""What steps on a worker say reaches their builds in order, in few messages, and before their answers."""

import queue

from bskernel.cluster.messages import Rejected, StepNews, decode_answer, decode_news
from bskernel.cluster.news_sender import NewsSender
from bskernel_protocol import Failure, OutputLine, Progress, StepStarted


class Scheduler:
    """What it was sent, by topic."""

    def __init__(self) -> None:
        self.sent: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.news = NewsSender(lambda topic, data: self.sent.put((topic, data)))

    def next(self) -> tuple[str, StepNews]:
        topic, data = self.sent.get(timeout=30)
        return topic, decode_news(data)


def line(text: str) -> OutputLine:
    return OutputLine(directory="d", stream="stdout", text=text)


def failed(text: str) -> Rejected:
    return Rejected(failure=Failure(category="kernel", message=text))


def test_a_step_that_ends_at_once_takes_one_message() -> None:
    scheduler = Scheduler()
    scheduler.news.say("build", "a", StepStarted(directory="d"))
    scheduler.news.say("build", "a", line("one"))
    scheduler.news.say("build", "a", Progress(directory="d", text="two"))
    scheduler.news.say("build", "b", line("other"))
    answer = failed("no")
    assert decode_answer(scheduler.news.end("build", "a", answer)) == answer
    events = (line("one"), Progress(directory="d", text="two"))
    assert scheduler.next() == ("build", StepNews(key="a", events=events, answer=answer))
    # What a step says that goes on comes without its end.
    assert scheduler.next() == ("build", StepNews(key="b", events=(line("other"),)))


def test_each_build_hears_of_its_own_steps() -> None:
    scheduler = Scheduler()
    scheduler.news.say("one", "a", line("1"))
    scheduler.news.say("other", "a", line("2"))
    assert sorted([scheduler.next()[0], scheduler.next()[0]]) == ["one", "other"]


def test_a_message_stays_small_whatever_is_said_and_a_large_answer_is_left_to_be_fetched() -> None:
    scheduler = Scheduler()
    lines = [line(f"{at} {'x' * 3000}") for at in range(9)]
    for said in lines:
        scheduler.news.say("build", "a", said)
    answer = failed("y" * 100_000)
    assert decode_answer(scheduler.news.end("build", "a", answer)) == answer
    heard: list[object] = []
    while len(heard) < len(lines):
        _, news = scheduler.next()
        assert len(news.events) < len(lines)
        assert news.answer is None
        heard += news.events
    assert heard == lines
    scheduler.news.end("build", "silent", answer)
    assert scheduler.sent.empty()
