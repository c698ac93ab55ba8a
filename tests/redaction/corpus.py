"""Secrets as services make them, and lines in which there are none; all made up from a seed.

No whole key stands in this file, so that no scanner of repositories takes it for a leak.
"""

from __future__ import annotations

import base64
import string
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"
B64 = ALNUM + "+/"

Make = Callable[[Random], str]


def some(alphabet: str, length: int) -> Make:
    return lambda chance: "".join(chance.choices(alphabet, k=length))


def after(prefix: str, alphabet: str, length: int, tail: str = "") -> Make:
    return lambda chance: prefix + some(alphabet, length)(chance) + tail


def _jwt(chance: Random) -> str:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    who = some(ALNUM, 12)(chance)
    head, claims = '{"alg":"HS256","typ":"JWT"}', f'{{"sub":"{who}","exp":1}}'
    return f"{part(head)}.{part(claims)}.{some(URL64, 43)(chance)}"


def _pem(chance: Random) -> str:
    kind = chance.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
    lines = "\n".join(some(B64, 64)(chance) for _ in range(12))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def _slack_hook(chance: Random) -> str:
    parts = "/".join(
        (f"T{some(UPPER, 9)(chance)}", f"B{some(UPPER, 9)(chance)}", some(ALNUM, 24)(chance))
    )
    return f"https://hooks.slack.com/services/{parts}"


KNOWN: dict[str, Make] = {
    "aws id": after("AK" + "IA", string.ascii_uppercase + "234567", 16),
    "aws temporary id": after("AS" + "IA", string.ascii_uppercase + "234567", 16),
    "google api": after("AI" + "za", URL64, 35),
    "google oauth": after("ya" + "29.", URL64, 100),
    "google client": after("GOC" + "SPX-", URL64, 28),
    "azure client": lambda c: some(ALNUM, 3)(c) + "8" + "Q~" + some(ALNUM + "_~.-", 33)(c) + "a",
    "github": after("gh" + "p_", ALNUM, 36),
    "github app": after("gh" + "s_", ALNUM, 36),
    "github fine": after("github" + "_pat_", ALNUM + "_", 82),
    "gitlab": after("gl" + "pat-", URL64, 20),
    "gitlab runner": after("gl" + "rt-", URL64, 20),
    "slack bot": lambda c: (
        "xo" + f"xb-{some('123456789', 12)(c)}-{some('123456789', 13)(c)}-{some(ALNUM, 24)(c)}"
    ),
    "slack app": lambda c: (
        "xa" + f"pp-1-A{some(UPPER, 10)(c)}-{some(string.digits, 13)(c)}-{some(HEX, 64)(c)}"
    ),
    "slack webhook": _slack_hook,
    "openai": lambda c: "sk" + "-" + some(ALNUM, 20)(c) + "T3Blbk" + "FJ" + some(ALNUM, 20)(c),
    "openai project": after("sk" + "-proj-", URL64, 120, "7a"),
    "anthropic": after("sk" + "-ant-api03-", URL64, 93, "AA"),
    "hugging face": after("h" + "f_", string.ascii_letters, 34),
    "replicate": after("r" + "8_", ALNUM, 37),
    "groq": after("gs" + "k_", ALNUM, 52),
    "stripe": after("sk" + "_live_", ALNUM, 24),
    "stripe test": after("rk" + "_test_", ALNUM, 40),
    "stripe hook": after("wh" + "sec_", ALNUM, 32),
    "sendgrid": lambda c: "S" + f"G.{some(URL64, 22)(c)}.{some(URL64, 43)(c)}"[:-1] + "a",
    "twilio": after("S" + "K", HEX, 32),
    "mailgun": after("ke" + "y-", HEX, 32),
    "mailchimp": lambda c: some(HEX, 32)(c) + "-us" + "21",
    "npm": after("np" + "m_", ALNUM, 36),
    "pypi": after("py" + "pi-AgEIcHlwaS5vcmc", URL64, 120),
    "docker hub": after("dc" + "kr_pat_", URL64, 27),
    "digitalocean": after("do" + "p_v1_", HEX, 64),
    "heroku": after("HR" + "KU-AA", URL64, 58),
    "databricks": after("da" + "pi", HEX, 32),
    "new relic": after("NR" + "AK-", UPPER, 27),
    "grafana": after("gl" + "sa_", ALNUM, 32, "_0a1b2c3d"),
    "sentry": after("sn" + "tryu_", HEX, 64),
    "linear": after("li" + "n_api_", ALNUM, 40),
    "notion": after("nt" + "n_", ALNUM, 46),
    "atlassian": after("AT" + "ATT3x", ALNUM + "_-=", 180, "A1"),
    "telegram": lambda c: some("123456789", 10)(c) + ":A" + "A" + some(URL64, 33)(c),
    "shopify": after("sh" + "pat_", HEX, 32),
    "vault": after("hv" + "s.", URL64, 95),
    "terraform": lambda c: some(ALNUM, 14)(c) + ".atlas" + "v1." + some(URL64, 66)(c),
    "planetscale": after("pscale" + "_pw_", URL64, 43),
    "postman": lambda c: "PM" + f"AK-{some(HEX, 24)(c)}-{some(HEX, 34)(c)}",
    "age": after("AGE-SECRET" + "-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "alibaba": after("LT" + "AI", ALNUM, 20),
    "jwt": _jwt,
    "pem": _pem,
    "url password": lambda c: f"postgresql://kim:{some(ALNUM + '!$%+', 14)(c)}@db.example/views",
    "url user": lambda c: f"https://{some(ALNUM, 32)(c)}@git.example/repo.git",
    "bearer": lambda c: f"Authorization: Bearer {some(URL64, 30)(c)}7",
    "basic": lambda c: (
        f"Authorization: Basic {base64.b64encode(some(ALNUM, 18)(c).encode()).decode()}"
    ),
    "signed url": lambda c: f"https://b.s3.example/x?X-Amz-Signature={some(HEX, 64)(c)}&n=1",
}
"""Class → what makes one. What must be gone is `secret_part` of it."""

NAMED: dict[str, Make] = {
    "password=": lambda c: f"connect host=db password={some(ALNUM, 12)(c)} user=kim",
    "password json": lambda c: f'{{"user": "kim", "password": "{some(ALNUM, 12)(c)}"}}',
    "password repr": lambda c: f"Login(user='kim', password='{some(ALNUM, 12)(c)}')",
    "password yaml": lambda c: f"db:\n  user: kim\n  password: {some(ALNUM, 12)(c)}\n",
    "password spoken": lambda c: f"cannot log in, the password is {some(ALNUM, 12)(c)}9",
    "env": lambda c: f"export AWS_SECRET_ACCESS_KEY={some(B64, 40)(c)}",
    "env token": lambda c: f"WANDB_API_KEY={some(HEX, 40)(c)} python train.py",
    "flag": lambda c: f"train.py --api-key {some(ALNUM, 32)(c)} --epochs 5",
    "flag password": lambda c: f"mysql --password={some(ALNUM, 12)(c)} -h db",
    "curl": lambda c: f"curl -u kim:{some(ALNUM, 12)(c)} https://host/x",
    "cookie": lambda c: f"Set-Cookie: session={some(ALNUM, 32)(c)}; Path=/",
    "azure account": lambda c: f"AccountName=kim;AccountKey={some(B64, 86)(c)}==;EndpointSuffix=x",
    "netrc": lambda c: f"machine host login kim password {some(ALNUM, 12)(c)}",
    "client secret": lambda c: f"client_secret: '{some(URL64, 30)(c)}'",
    "x-api-key": lambda c: f"X-Api-Key: {some(HEX, 32)(c)}",
    "sas": lambda c: f"https://b.blob.example/x?sv=1&sig={some(ALNUM, 43)(c)}%3D",
}
"""Secrets that a name tells."""

_SURROUND = (
    "{}",
    "failed with {} while reading",
    "key:\n{}\nend",
    "({})",
    'got "{}", try again',
    "학습 {} 시작",
    "[{}]",
    "x={}",
)


def secret_part(text: str) -> str:
    """The longest word of a secret, a part of which must not be seen."""
    return max((word for word in _words(text) if any(letter.isalnum() for letter in word)), key=len)


def _words(text: str) -> Iterator[str]:
    word = ""
    for letter in text + " ":
        if letter in ALNUM + "+_~%!$":
            word += letter
        else:
            yield word
            word = ""


def surrounded(text: str, chance: Random) -> str:
    return chance.choice(_SURROUND).format(text)


HARMLESS_NAMES: dict[str, Any] = {
    "pad_token": "<pad>", "eos_token": "</s>", "bos_token": "[BOS]", "unk_token": "[UNK]",
    "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "image_token": "<image>",
    "pad_token_id": 0, "eos_token_id": 2, "num_tokens_per_batch": 4096, "max_tokens": 512,
    "max_new_tokens": 128, "total_tokens": 10_000_000, "tokens_per_second": 1234.5,
    "token_count": 17, "tokens": 99, "prompt_tokens": 12, "completion_tokens": 5,
    "tokenizer": "gpt2", "tokenizer_class": "BPE", "token_dropout": 0.1, "token_type": "word",
    "num_special_tokens": 5, "additional_special_tokens": "<a>", "token_embedding_dim": 768,
    "author": "Kim", "authors": "Kim, Lee", "authority": "local", "auth_method": "oauth",
    "password_length": 12, "password_policy": "strict", "secret_name": "db-main",
    "secretary": "Lee", "cookie_policy": "lax", "credential_type": "file", "key": "value",
    "primary_key": "id", "sort_key": "name", "keyboard": "qwerty", "monkey": "see",
    "passed": "12 of 12", "compass": "north", "bypass": "on", "path": "/data/x",
    "pattern": "*.jpg", "signature_size": 64, "use_auth_token": True, "patience": 5,
    "token_overlap_ratio": 0.5,
}  # fmt: skip

_LINES = (
    "Epoch {n} of 50 finished: loss {f}, accuracy {f}",
    "Loaded {n} images from /data/sets/coco/train2017 in {f} s",
    "tokens: {n}",
    "Processed {n} tokens at {f} tokens/s",
    "max_tokens={n}, temperature={f}",
    "pad_token=<pad>, eos_token=</s>",
    "Tokenizer bert-base-multilingual-cased loaded",
    "token count: {n} of 8192",
    "The password is required",
    "password: required",
    "Password incorrect for user kim",
    "password must have 12 characters",
    "secret not found in the store",
    "secret=None, region=None",
    "api_key=None",
    "api_key: Optional[str] = None",
    "token={{token}} is a placeholder",
    "set PASSWORD=$DB_PASSWORD before you start",
    "export TOKEN=${{TOKEN}}",
    "use --password <password> to log in",
    "auth: ok",
    "auth=oauth2 for user kim",
    "authorization failed with status 403",
    "Authentication succeeded after {n} ms",
    "cookies are disabled",
    "key: value, other: {n}",
    "sorted by key=name",
    "primary key: id",
    "https://host.example:8443/api/v1/jobs/{n}?page=2&limit=50",
    "s3://bucket/checkpoints/run-{n}/model.safetensors",
    "git@github.example:team/repository.git cloned",
    "redis://localhost:6379/0 answered in {f} ms",
    "postgresql://db.example/views is at version {n}",
    "mail kim@example.org about the run",
    "commit {hex40} checked out",
    "sha256:{hex64} is the digest of the image",
    "md5 {hex32} matches",
    "uuid {uuid} was made",
    "model-{hex8}-of-{hex8}.bin saved",
    "trace id {hex32}, span {hex16}",
    "checkpoint /data/models/resnet50-{hex8}.pth loaded",
    "learning_rate_scheduler=CosineAnnealingWarmRestarts(T_0={n})",
    "RuntimeError: CUDA out of memory. Tried to allocate {f} GiB",
    "File \"/app/plugin/train.py\", line {n}, in train_one_epoch",
    "KeyError: 'image_{n}'",
    "ValueError: shapes ({n}, 3) and (4, {n}) not aligned",
    "basic block {n} of the network",
    "basic training is over",
    "bearer of bad news: loss is {f}",
    "signature verified",
    "signal 15 received, sigma={f}",
    "pattern *.jpg matched {n} files",
    "patience: {n} epochs left",
    "digest mode, {n} rows",
    "connection string is missing",
    "connection to db.example refused after {n} tries",
    "identified {n} duplicates by hash",
    "pass {n} of 3: {f} % done",
    "passed {n} checks, skipped 2",
    "bypass=true, compass=north",
    "otp codes are sent by mail",
    "jwt expired, signing in again",
    "torch.Size([{n}, 3, 224, 224]) on cuda:0",
    "GPU 0: NVIDIA A100-SXM4-80GB, {n} MiB used",
    "nccl version 2.19.3+cuda12.3, rank {n} of 64",
    "host node-{n}.cluster.internal, pid {n}",
    "20251129-{n}-training-of-the-large-model-with-dropout started",
    "한국어 메시지: {n}개의 파일을 읽었습니다",
    "비밀번호가 필요합니다",
    "base64 image of {n} bytes left out",
    "python 3.12.1, torch 2.13.0, numpy 2.4.6",
    "batch {n}: tokens={n} pad_tokens={n} loss={f}",
    "special tokens: ['<s>', '</s>', '<unk>']",
    "access key rotated {n} days ago",
    "private key file: /etc/ssl/private/server.pem",
    "token expired; refreshing",
    "Token limit reached ({n})",
    "token: str = field(default='')",
    "credential type: service account",
    "dataset=imagenet-1k split=validation fold={n}",
    "sk-learn pipeline fitted in {f} s",
    "key-value cache of {n} layers",
    "eval/{n}/AP50=0.{n} eval/{n}/AR=0.{n}",
    "job 20251123-161905-7mx2p8r took {n} s",
    "position 1763880000000-{n}.3 reached",
)  # fmt: skip


def harmless_lines(chance: Random, count: int) -> list[str]:
    return [_filled(_LINES[index % len(_LINES)], chance) for index in range(count)]


def _filled(line: str, chance: Random) -> str:
    def digits(length: int) -> str:
        return some(HEX, length)(chance)

    return line.format(
        n=chance.randrange(1, 100_000), f=f"{chance.random():.4f}",
        hex8=digits(8), hex16=digits(16), hex32=digits(32), hex40=digits(40), hex64=digits(64),
        uuid=f"{digits(8)}-{digits(4)}-4{digits(3)}-a{digits(3)}-{digits(12)}",
    )  # fmt: skip
