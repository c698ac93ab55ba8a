"""Which names say that their value is a secret."""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "***"

# Found anywhere in a name, whatever joins its words: db_password, dbPassword, DBPASSWORD.
_SECRET_PARTS = (
    "password", "passwd", "passphrase", "passcode", "secret", "credential", "authorization",
    "cookie", "bearer", "apikey", "accesskey", "privatekey", "accountkey", "signingkey",
    "encryptionkey", "sharedkey", "masterkey", "authkey", "licensekey", "sshkey", "hostkey",
    "connectionstring", "connstr", "webhookurl", "비밀번호",
)  # fmt: skip
# Found as a whole word only: `author` and `tokenizer` are no secrets.
_SECRET_WORDS = frozenset(
    {"token", "tokens", "auth", "pass", "pwd", "jwt", "otp", "pat", "dsn", "sas", "creds"}
)
_ENDINGS = ("token", "tokens", "pwd")

# The last word of a name that tells something *about* a secret.
_ABOUT = frozenset(
    """age algorithm attempts backend class column count counts dir dim directory dropout duration
    embedding embeddings enabled endpoint env error errors expired expires expiry field file
    filename flag format hint host id ids index issuer kind language len length level lifetime
    limit list loss manager map max method min mode name names num number path pattern plugin policy
    port processor provider ratio rate region required rounds scheme server shape size source split
    status store strategy strength time timeout ttl type types uri url usage used user valid
    variable version window""".split()  # noqa: SIM905 - words
)
# Beside `token` these make it one of the pieces that a text is cut into.
_OF_TEXT = frozenset(
    """added additional audio avg batch begin begins bos budget cached char chunk class
    classification cls completion context count counts decoded dropped end ends eos extra first
    flops frame generated global gpu ignored image images input inputs label last len length mask
    masked max mean merge min mixer n new num number out output outputs pad padding patch per
    prefill processed prompt pruning rare reasoning reg register sample sec second seconds sep
    seen seq sequence source special start step stop text tgt total train trained trigger type unk
    unknown video visual vocab window word""".split()  # noqa: SIM905 - words
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_JOINT = re.compile(r"[\W_]+")


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """Tell whether a value under this name must not be shown.

    `db_password`, `apiKey` and `HF_TOKEN` are secret; `pad_token`, `num_tokens_per_batch`,
    `password_length` and `tokenizer` are not.
    """
    joined = _JOINT.sub("", name).lower()
    words = [word.lower() for word in _WORD.findall(name)]
    is_secret = (
        joined.endswith(_ENDINGS)
        or any(part in joined for part in _SECRET_PARTS)
        or not _SECRET_WORDS.isdisjoint(words)
    )
    return is_secret and not _is_harmless(joined, words)


def is_password(name: str) -> bool:
    """Tell whether the name is that of a password, which may be any word at all."""
    return "pass" in name.lower() or "pwd" in name.lower()


def is_token(name: str) -> bool:
    """Tell whether the name is that of a token, which is long, where a count of tokens is not."""
    joined = _JOINT.sub("", name).lower()
    return joined.endswith(("token", "tokens")) or joined in {"auth", "otp", "pat"}


def _is_harmless(joined: str, words: list[str]) -> bool:
    if len(words) > 1 and words[-1] in _ABOUT and not joined.endswith(("webhookurl", "id", "user")):
        return True
    if joined.startswith("secretar") or "cookiecutter" in joined:
        return True
    rest = set(words) - {"token", "tokens"}
    is_about_text = "tokens" in words or "token" in words
    if is_about_text and rest and rest <= _OF_TEXT | _ABOUT:
        return True
    return is_about_text and bool(rest & {"pad", "eos", "bos", "unk", "cls", "sep", "num", "per"})
