"""Secrets within a text: by their form, or by the name that stands before them."""

from __future__ import annotations

import re

from synapse_stream.redaction.formats import mask_known
from synapse_stream.redaction.names import MASK, is_password, is_token, looks_secret

LONGEST_TEXT = 300_000
"""Characters; a longer text is masked as a whole, since to look through it takes too long."""

_LEAST_TOKEN = 8  # characters of a token; what is shorter is a word or a count
_RANDOM_TOKEN = 20  # from here on it needs no digit

# Every repetition is bounded, so that no text makes a search quadratic.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
_PEM_TAIL = re.compile(
    r"^[\w+/=\s\\…<>:]{0,20000}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
)
_PUTTY = re.compile(r"(Private-Lines: \d{1,4}\s{0,4})[\w+/=\s]{16,20000}")
_URL_PASSWORD = re.compile(r"(\b[a-zA-Z][\w+.-]{0,30}://[^\s/@:\"']{0,200}):[^\s\"'<>]{0,4000}@")
_URL_USER = re.compile(r"(\b[a-zA-Z][\w+.-]{0,30}://)[^\s/@:\"'<>]{1,4000}@")

# Sought in a text whose capitals were made small, which is several times as fast as to ignore case.
_TELLING = re.compile(
    r"passw(?:or)?d|passphrase|passcode|pwd|(?<![a-z])pass(?![a-z])|secret|token|credential|creds"
    r"|cookie|signature|(?<![a-z])(?:sig|auth|jwt|otp|pat|sas|dsn)(?![a-z])|authorization"
    r"|(?:api|access|account|private|signing|encryption|shared|master|auth|license|ssh|host)"
    r"[_ .-]?key|connection[_ -]?string|비밀번호"
)
_SMALL = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
_NAME_BEFORE = re.compile(r"[\w.-]{0,40}$")
_VALUE = (
    r"""(?P<value>[bru]{0,2}(?:\\?"(?:[^"\\]|\\.){0,4000}?\\?"|\\?'(?:[^'\\]|\\.){0,4000}?\\?')"""
    r"""|[^\s&;,"'<>)\]}\[{]{1,4000})"""
)
_ASSIGNED = re.compile(
    r"""[\w.-]{0,40}(?:\\?["'\]>]{0,2}\s{0,4}(?:=>|:=|==?|:)\s{0,4}(?!//)"""
    r"""|\\?["'>]{0,2}\s{0,2},\s{0,2}(?=\\?["'])|["'\]]{0,2}>)""" + _VALUE
)
_FLAGGED = re.compile(r"[\w-]{0,40}[ =]{1,2}" + _VALUE)
_SPOKEN_OF = frozenset(
    {"password", "passwd", "passphrase", "passcode", "secret", "api key", "비밀번호"}
)
_SPOKEN = re.compile(r"(?:\s(?:is|was|now|:)\s(?:now\s)?|\s(?=[\"']))" + _VALUE)
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization\\?[\"']?\s{0,3}[:=,]\s{0,3}\\?[\"']?)"
    r"(?:[A-Za-z][\w-]{1,20}\s{1,3})?[^\s\"',;\\]{1,4000}(?:,\s?[\w-]{1,40}=[^\s,]{1,400}){0,20}",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"(\b(?:set-)?cookie\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?)"
    r"(?=[^\s\"']{1,200}=)[^\r\n\"']{1,4000}",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(\b(?:bearer|basic|digest|token|apikey|sso-key)\s{1,9})(?=[\w.~+/=-]*[\d=])[\w.~+/=-]{8,4000}",
    re.IGNORECASE,
)
_USER = re.compile(
    r"(\bcurl\b[^\r\n]{0,400}?\s(?:-u|--user|--proxy-user)[ =]{0,2}[\"']?[^\s:\"']{1,100}:)"
    r"[^\s\"']{1,400}"
)
_NETRC = re.compile(r"(\blogin\s{1,9}\S{1,100}\s{1,9}password\s{1,9})\S{1,400}", re.IGNORECASE)
_IDENTIFIED = re.compile(r"(\bidentified\s{1,9}by\s{1,9}[\"'])[^\"']{1,400}", re.IGNORECASE)
_SIGNED = re.compile(
    r"([?&](?:X-(?:Amz|Goog|Oss|Cos)-(?:Signature|Security-Token|Credential)|sig|q-signature)=)"
    r"[^&\s\"']{1,4000}",
    re.IGNORECASE,
)
_CUT_EDGE = re.compile(r"[\w.~+/=:@%-]{8,400}(?=… <cut: )|(?<=> …)[\w.~+/=:@%-]{8,400}")

_FORMS = (
    ("authorization", _HEADER), ("cookie", _COOKIE), ("bearer", _SCHEME), ("basic", _SCHEME),
    ("digest", _SCHEME), ("token ", _SCHEME), ("apikey", _SCHEME), ("sso-key", _SCHEME),
    ("curl", _USER), ("login", _NETRC), ("identified", _IDENTIFIED),
)  # fmt: skip
"""What a text must hold, in small letters, that a form is sought in it."""

# What stands where a value could, and is none.
_NO_VALUE = frozenset(
    """none null nil true false yes no on off ok not set unset empty missing required optional
    invalid valid wrong incorrect correct expired expires accepted rejected changed updated reset
    removed found default masked hidden redacted str string int float bool bytes text any dict
    list bearer basic digest type object field must cannot can is was are has too the for from in
    and or if when given provided needed unknown unspecified disabled enabled failed failure
    success error denied refused checked check verified loaded refreshed renewed rotated revoked
    created generated received cached prompt self value data input output name key env
    file""".split()  # noqa: SIM905 - words
)
_PLACEHOLDER = re.compile(
    r"[*•xX.…_-]{1,64}|<[^<>]{0,100}>|\$?\{[^{}]{0,100}\}{1,2}|\$\w{1,60}|%\(?\w{0,40}\)?[sdr]|\[[^\]]{0,60}\]|…"
)
_CODE = re.compile(
    r"[A-Za-z_][\w.]{0,100}[(\[].{0,200}|(?:os|self|settings|config|args|cfg|opt|params)\.[\w.]{1,100}"
)
_NUMBER = re.compile(r"[-+]?[\d,_.]{1,30}(?:[eE][-+]?\d{1,3})?[%smhdkKMGB]{0,2}")


def redact_text(text: str) -> str:
    """Return `text` with passwords, keys and tokens masked.

    Found are private keys in PEM, passwords of URLs, authorization headers, cookies, keys of the
    forms that `formats` knows, and what stands behind a telling name (`password=`, `--token`,
    `"api_key": `), unless it is no value (`password: required`) or a count (`tokens: 512`).
    """
    if len(text) > LONGEST_TEXT:
        return MASK
    if "-----" in text or "Private-Lines" in text:
        text = _PUTTY.sub(rf"\1{MASK}", _PEM_TAIL.sub(MASK, _PEM.sub(MASK, text)))
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
        text = _URL_USER.sub(rf"\1{MASK}@", text)
        text = _SIGNED.sub(rf"\1{MASK}", text)
    text = _mask_behind_names(mask_known(text))
    return _CUT_EDGE.sub(MASK, text) if "… <cut: " in text else text


def _mask_behind_names(text: str) -> str:
    low = text.translate(_SMALL)
    for needle, pattern in _FORMS:
        if needle in low:
            text = pattern.sub(rf"\1{MASK}", text)
            low = text.translate(_SMALL)
    shown, done = [], 0
    for found in _TELLING.finditer(low):
        value = _value_behind(text, found) if found.start() >= done else None
        if value is not None:
            shown += [text[done : value[0]], MASK]
            done = value[1]
    return "".join([*shown, text[done:]]) if shown else text


def _value_behind(text: str, found: re.Match[str]) -> tuple[int, int] | None:
    """Return where the secret stands that a telling word announces; None when it announces none."""
    begin, end = found.span()
    before = _NAME_BEFORE.search(text, max(0, begin - 40), begin)
    begin -= len(before[0]) if before else 0
    behind = _ASSIGNED.match(text, end)
    if behind is None and text.startswith("-", begin):
        behind = _FLAGGED.match(text, end)
    if behind is None and found[0] in _SPOKEN_OF:
        behind = _SPOKEN.match(text, end)
    if behind is None:
        return None
    tail = re.match(r"[\w.-]*", text[end : behind.start("value")])
    name = text[begin : end + (tail.end() if tail else 0)].strip("-. ")
    value = behind["value"]
    bare = value.strip("\\\"'")
    if not looks_secret(name) or not _is_secret_value(name, bare, is_quoted=bare != value):
        return None
    start = behind.start("value") + value.find(bare)
    return start, start + len(bare)


def _is_secret_value(name: str, value: str, *, is_quoted: bool) -> bool:
    word = value.rstrip(".,:;!?)")
    if not word or MASK in word or _PLACEHOLDER.fullmatch(word):
        return False
    if word.lower() in _NO_VALUE or (not is_quoted and _CODE.fullmatch(value)):
        return False
    if is_token(name):
        return _is_random(word)
    if _NUMBER.fullmatch(word):
        return is_password(name) and len(word) >= 4  # noqa: PLR2004 - the shortest PIN
    return True


def _is_random(word: str) -> bool:
    if len(word) < _LEAST_TOKEN or _NUMBER.fullmatch(word):
        return False
    has_digit = any(letter.isdigit() for letter in word)
    has_letter = any(letter.isalpha() for letter in word)
    return (has_digit and has_letter) or (len(word) >= _RANDOM_TOKEN and " " not in word)
