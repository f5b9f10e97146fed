#!/bin/sh
# Fetches the pinned npm packages and compares their files with checksums.txt and with assets/.
# Fails on any difference; changes nothing. Needs npm, tar, sha256sum and diff.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/assets"

# fetch PACKAGE VERSION, then pairs of a file in the package and its name in assets/
fetch() {
  package=$1
  version=$2
  shift 2
  mkdir "$work/$package"
  (cd "$work/$package" && npm pack --silent "$package@$version" >/dev/null && tar -xzf ./*.tgz)
  while [ $# -gt 0 ]; do
    cp "$work/$package/package/$1" "$work/assets/$2"
    shift 2
  done
}

fetch graphiql 4.1.2 \
  graphiql.min.js graphiql.min.js \
  graphiql.min.css graphiql.min.css \
  LICENSE graphiql.LICENSE.txt
fetch react 18.2.0 \
  umd/react.production.min.js react.production.min.js \
  LICENSE react.LICENSE.txt
fetch react-dom 18.2.0 \
  umd/react-dom.production.min.js react-dom.production.min.js \
  LICENSE react-dom.LICENSE.txt
fetch graphql-ws 6.4.2 \
  umd/graphql-ws.min.js graphql-ws.min.js \
  LICENSE.md graphql-ws.LICENSE.txt

(cd "$work/assets" && sha256sum --check --strict --quiet "$here/checksums.txt")
diff -r "$work/assets" "$here/assets"
echo "the GraphiQL files are those of the pinned packages"
