#!/bin/sh
# Before nginx starts: fills in the templates, then runs the scripts of /docker-entrypoint.d, as the
# official image documents.
set -eu

# Only variables that are set, and whose names match the filter, are filled in; nginx's own stay.
fill_templates() {
    templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
    output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
    suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
    [ -d "$templates" ] || return 0
    if [ ! -w "$output" ]; then
        echo "$0: $output cannot be written: its templates are not filled in." >&2
        return 0
    fi
    names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' |
        grep -E -- "${NGINX_ENVSUBST_FILTER:-}" | sed 's/.*/${&}/')
    find -L "$templates" -type f -name "*$suffix" | while read -r template; do
        file=$output/${template#"$templates"/}
        file=${file%"$suffix"}
        mkdir -p "${file%/*}"
        envsubst "$names" < "$template" > "$file"
    done
}

if [ "${1:-}" = nginx ]; then
    fill_templates
    for script in /docker-entrypoint.d/*.sh; do
        if [ -x "$script" ]; then "$script"; fi
    done
fi
exec "$@"
