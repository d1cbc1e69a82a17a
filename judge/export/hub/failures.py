"""What the Hub and the way to it can answer, as one message with its fix. No token is ever part of one."""

from collections.abc import Iterator
from contextlib import contextmanager

from judge.errors import HubError, InputError, JudgeError, safe

CLIENTS = ("huggingface_hub", "datasets", "hf_xet", "httpx", "httpx2", "fsspec")
AGAIN = "run the same command again: what was sent is not sent twice"


@contextmanager
def told(repo: str, state: str) -> Iterator[None]:
    """Tell failures of the Hub's clients in our words.

    Args:
        repo: What is published to.
        state: What is published so far, for the message.

    Raises:
        InputError: A name or a token cannot be used, a right is missing.
        HubError: The Hub refuses, breaks off or cannot be reached.
    """
    try:
        yield
    except JudgeError:
        raise
    except Exception as error:
        explained = explain(error, repo, state)
        if explained is None:
            raise
        raise explained from None


def explain(error: BaseException, repo: str, state: str) -> JudgeError | None:
    """The message for a failure; null for a defect of ours."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    for one in _chain(error):
        status = getattr(getattr(one, "response", None), "status_code", None)
        if isinstance(status, int) and status >= 400:
            return _refused(status, _said(one), repo, state)
        if isinstance(one, HFValidationError):
            return InputError(f"{repo}: is not a valid name ({safe(str(one))})", "write it like owner/name")
        if isinstance(one, LocalTokenNotFoundError):
            return not_logged_in()
        if isinstance(one, OfflineModeIsEnabled):
            return HubError(f"HF_HUB_OFFLINE is set; {state}", "unset it")
        kinds = {kind.__name__ for kind in type(one).__mro__}
        if kinds & {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}:
            reach = f"see that this machine can reach it (HF_ENDPOINT, HTTPS_PROXY); then {AGAIN}"
            return HubError(f"{constants.ENDPOINT}: cannot be reached; {state}", reach)
        if kinds & {"TransportError", "ConnectionError", "IncompleteRead"}:
            return HubError(f"the connection to the Hub broke off; {state}", AGAIN)
    if _theirs(error):
        what = safe(str(error).strip().split("\n")[0] or type(error).__name__)
        return HubError(f"publishing to {repo} failed ({what}); {state}", AGAIN)
    return None


def not_logged_in() -> InputError:
    """No token anywhere."""
    return InputError("no token for the Hub", "log in with `hf auth login`, or set HF_TOKEN")


def _refused(status: int, said: str, repo: str, state: str) -> JudgeError:
    from huggingface_hub import constants

    if status == 401:
        where = f"{constants.ENDPOINT}/settings/tokens"
        fix = f"make a token at {where}, then `hf auth login` or set HF_TOKEN (which goes before the login)"
        return InputError(f"the Hub does not take the token: expired, revoked or mistyped (401); {state}", fix)
    if status == 403:
        fix = f"use a token with the write role, of somebody who may write for {repo.partition('/')[0]}"
        return InputError(f"the token may not write to {repo} (403); {state}", fix)
    if status == 404:
        return InputError(f"{repo}: is not there, or the token may not see it (404: {said}); {state}", "fix the name")
    if status in (409, 412):
        fix = "run the same command again: it merges with what stands there now, and sends no file twice"
        return HubError(f"{repo} was changed meanwhile ({status}); {state}", fix)
    if status == 429:
        return HubError(f"the Hub asks to slow down (429); {state}", f"wait some minutes, then {AGAIN}")
    if status >= 500:
        return HubError(f"the Hub has an error ({status}); {state}", f"wait, then {AGAIN}")
    return HubError(f"the Hub refuses to publish to {repo} ({status}: {said}); {state}", "fix what it says")


def _said(error: BaseException) -> str:
    return safe(str(getattr(error, "server_message", None) or "no reason given"))[:200]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _theirs(error: BaseException) -> bool:
    """Whether the Hub's clients raised it on purpose: neither code of ours, nor a call that cannot be right."""
    if _package(type(error).__module__) in CLIENTS:
        return True
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = _package(str(trace.tb_frame.f_globals.get("__name__", ""))) if trace else ""
    return isinstance(error, RuntimeError | ValueError | OSError) and where in CLIENTS


def _package(module: str) -> str:
    return module.partition(".")[0]
