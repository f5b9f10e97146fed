#!/bin/sh
# Fetches the pinned npm package and compares its files with checksums.txt and with assets/.
# Fails on any difference; changes nothing. Needs npm, tar, sha256sum and diff.
set -eu

package=swagger-ui-dist
version=5.35.0

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/assets"

(cd "$work" && npm pack --silent "$package@$version" >/dev/null && tar -xzf ./*.tgz)

# take FILE in the package, NAME in assets/
take() { cp "$work/package/$1" "$work/assets/$2"; }
take swagger-ui-bundle.js swagger-ui-bundle.js
take swagger-ui-bundle.js.LICENSE.txt swagger-ui-bundle.js.LICENSE.txt
take swagger-ui.css swagger-ui.css
take LICENSE swagger-ui.LICENSE.txt
take NOTICE swagger-ui.NOTICE.txt

(cd "$work/assets" && sha256sum --check --strict --quiet "$here/checksums.txt")
diff -r "$work/assets" "$here/assets"
echo "the Swagger UI files are those of the pinned package"
