#!/bin/sh
# Make the passwords of `docker compose up`, once: files in ./secrets that only you can read.
# Run it where docker-compose.yml is; it changes nothing that is there already.
set -eu
umask 077
[ -e secrets ] && { echo "secrets is there already; nothing was changed" >&2; exit 0; }
word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
database=$(word) consumer=$(word) plugin=$(word)
mkdir secrets
printf %s "$database" > secrets/postgres_password
printf 'postgresql://synapse:%s@postgres/synapse' "$database" > secrets/store_url
printf 'redis://consumer:%s@valkey:6379' "$consumer" > secrets/redis_url
printf 'redis://plugin:%s@127.0.0.1:6379\n' "$plugin" > secrets/plugin_url
printf '[{"name": "me", "role": "operator", "token": "%s"}]' "$(word)" > secrets/api_tokens
cat > secrets/valkey.acl <<END
user default on nopass resetkeys resetchannels -@all +ping
user consumer on >$consumer ~synapse:* -@all +ping +hello +auth +quit +select +client|setinfo +client|setname +hget +hmget +exists +time +info +xrange +xrevrange +xread +xlen +xinfo|stream +eval +evalsha +hset +xadd +xdel +xsetid +get +hdel +hgetall +rename +scan +set +type +unlink +pexpire +xtrim +xgroup|create +xgroup|setid
user plugin on >$plugin ~synapse:{*}:job:* ~synapse:{*}:producers:* ~synapse:{*}:feed %R~synapse:* -@all +ping +hello +auth +quit +select +client|setinfo +client|setname +hget +hmget +exists +time +info +xrange +xrevrange +xread +xlen +xinfo|stream +eval +evalsha +hset +xadd +xdel +xsetid
END
# The folder is yours alone; the files in it are mounted one by one, and read there by other users.
chmod 0444 secrets/*
echo "secrets made; plugins on this machine: export SYNAPSE_STREAM_REDIS_URL=\$(cat secrets/plugin_url)"
