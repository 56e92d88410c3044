"""What a worker is told, and what not."""

import msgspec

from antiphon.server.settings import ServerSettings
from antiphon.server.workers.job import VARIABLE, Job
from antiphon.server.workers.limits import WorkerLimits

KEY = "sk_0123456789abcdef"


def job(**settings: object) -> Job:
    return Job(1, "/bot.py", ServerSettings(**settings), WorkerLimits(), "/models", 20)  # pyright: ignore[reportArgumentType]


def told(one: Job, role: str = "worker") -> tuple[Job, dict[str, str]]:
    environment = one.environment(role, {"HOME": "/", "ANTIPHON_PRIVATE_KEYS": KEY, "MALLOC_ARENA_MAX": "9"})
    return msgspec.json.decode(environment.pop(VARIABLE), type=Job), environment


def test_it_comes_out_as_it_went_in() -> None:
    one = job(capacity=7, stun=("stun:stun.example.org",), last_words=3.5)
    assert told(one)[0] == msgspec.structs.replace(one, settings=told(one)[0].settings)
    assert told(one)[0].settings.stun == ("stun:stun.example.org",)
    assert told(one)[0].settings.secret == one.settings.secret


def test_the_servers_keys_stay_with_the_server() -> None:
    one = job(private_keys=(KEY,), host="0.0.0.0")
    found, environment = told(one)
    assert found.settings.private_keys == ()
    assert KEY not in str(environment) + one.environment("zygote", {})[VARIABLE]


def test_without_keys_nobody_observes_who_did_not_before() -> None:
    assert told(job())[0].settings.observed
    assert not told(job(private_keys=(KEY,)))[0].settings.observed


def test_what_the_user_has_set_is_kept_and_models_have_their_threads() -> None:
    assert told(job())[1]["MALLOC_ARENA_MAX"] == "9"
    assert told(job())[1]["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in told(job(), "models")[1]
