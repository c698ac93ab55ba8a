"""Keys and tokens that are known by their form, wherever they stand.

The prefixes are those that the services document; they were compared with the rules that gitleaks
(MIT) and detect-secrets (Apache-2.0) publish. Lengths are lower bounds, so that a key cut in half
is found as well. A key without a form of its own is found by the name beside it, in `text`.
"""

from __future__ import annotations

import re

from synapse_stream.redaction.names import MASK

_FORMATS = (
    # clouds
    r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}",
    r"ABSK[\w+/=]{40,}",
    r"bedrock-api-key-[\w+/=]{20,}",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w.-]{20,}",
    r"GOCSPX-[\w-]{20,}",
    r"1//0[\w-]{30,}",
    r"[\w~.]{3}\dQ~[\w~.-]{31,}",
    r"do[opr]_v1_[0-9a-f]{32,}",
    r"HRKU-[\w-]{30,}",
    r"LTAI[A-Za-z0-9]{12,}",
    r"AKID[A-Za-z0-9]{13,}",
    r"(?:AQVN|YC)[\w-]{35,}",
    r"t1\.[\w=-]{5,}\.[\w=-]{60,}",
    r"v1\.0-[0-9a-f]{24}-[0-9a-f]{64,}",
    r"pul-[0-9a-f]{40}",
    r"f(?:m1r|m1a|m2|o1)_[\w+/=-]{40,}",
    r"hv[sbr]\.[\w-]{20,}",
    r"s\.[A-Za-z0-9]{24}(?![\w.])",
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{30,}",
    r"sha256~[\w-]{40,}",
    # code, packages, models
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_\w{30,}",
    r"gl(?:pat|dt|ft|ffct|rt|rtr|cbt|ptt|soat|imt|agent|oas)-[\w.-]{16,}",
    r"GR1348941[\w-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[\w-]{40,}",
    r"dckr_(?:pat|oat)_[\w-]{20,}",
    r"rubygems_[0-9a-f]{40,}",
    r"AKCp[A-Za-z0-9]{50,}|cmVmd[A-Za-z0-9]{50,}",
    r"sgp_\w{40,}|squ_\w{40}|sq[pa]_\w{40}",
    r"sk-(?=[\w-]{0,200}\d)(?:(?:proj|svcacct|admin|ant|or|lf|None)-[\w-]{16,}|[A-Za-z0-9]{20,})",
    r"sess-[A-Za-z0-9]{40}",
    r"(?:hf|api_org)_[A-Za-z0-9]{30,}",
    r"(?:r8|gsk|jina|pnu|pnb|rdme|nbp)_[A-Za-z0-9]{30,}",
    r"(?:xai|pplx|tvly|nvapi)-[\w-]{30,}",
    r"wandb_v1_\w{20,}",
    r"dapi[0-9a-f]{32}(?:-\d)?",
    # people and payments
    r"xox[a-z](?:\.xox[bp])?-[\w-]{10,}",
    r"xapp-\d-[\w-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w+/]{20,}",
    r"[\w-]+\.webhook\.office\.com/webhookb2/[\w@/-]{36,}",
    r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{30,}",
    r"[MNO][\w-]{23,27}\.[\w-]{6,7}\.[\w-]{27,}",
    r"\d{8,10}:AA[\w-]{32,}",
    r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",
    r"whsec_[\w+/=]{20,}",
    r"sq0[a-z]{3}-[\w-]{20,}|EAAA[\w-]{40,}|EAA[A-Z][A-Za-z0-9]{60,}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"SK[0-9a-f]{32}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"(?:pub)?key-[0-9a-f]{32}",
    r"[0-9a-f]{32}-us\d{1,2}",
    r"xkeysib-[0-9a-f]{40,}-\w{12,}",
    r"EZ[AT]K[A-Za-z0-9]{40,}|shippo_(?:live|test)_[0-9a-f]{40}|duffel_(?:live|test)_[\w=-]{30,}",
    # watching and working
    r"NR(?:AK|JS|II|AL|RA)-[\w-]{16,}",
    r"gl(?:c|sa)_[\w+/=]{30,}",
    r"sntry[su]_[\w+/=.-]{20,}",
    r"dt0c01\.\w{20,}\.\w{40,}",
    r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}",
    r"ntn_[A-Za-z0-9]{30,}|secret_[A-Za-z0-9]{43}",
    r"AT[AC]TT3[\w=+/-]{30,}|ATBB[A-Za-z0-9]{24,}",
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    r"PMAK-[0-9a-f]{20,}-[0-9a-f]{30,}",
    r"tfp_[\w.=-]{40,}",
    r"pscale_(?:tkn|pw|oauth)_[\w=.-]{20,}|sbp_[0-9a-f]{40}|sb_secret_[\w-]{20,}",
    r"ops_eyJ[\w+/=]{40,}|A3-[A-Z0-9]{6}-[A-Z0-9-]{20,}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    # JSON Web Tokens, signed (3 parts) or encrypted (5)
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}",
    r"eyJrIjoi[\w+/=]{50,}",
)
_KNOWN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_FORMATS)})(?![A-Za-z0-9])")

# What a key can be in: white space, quotes and brackets end it. Looked through one by one, because
# the formats are many and most words are short. In JSON within a text, `\n` may stand before it.
_CANDIDATE = re.compile(r"(\\[nrt])?([\w.~+/=:@%-]{16,})")


def mask_known(text: str) -> str:
    """Return `text` with every key of a known form masked."""
    return _CANDIDATE.sub(_mask_in, text)


def _mask_in(found: re.Match[str]) -> str:
    return (found[1] or "") + _KNOWN.sub(MASK, found[2])
