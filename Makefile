# The ancestor's targets over pnpm, nx and cargo. PREFIX says where `make install` puts netcon.
PREFIX ?= /usr/local
PNPM = npx -y pnpm@$(shell sed -n 's/.*"packageManager": "pnpm@\(.*\)".*/\1/p' package.json)
lib service: node_modules
	$(PNPM) exec nx run $(if $(filter lib,$@),@netcon/intercept:build,@netcon/cli:build)
tests: node_modules
	$(PNPM) test
install: lib service
	.ci/install "$(DESTDIR)$(PREFIX)"
node_modules:
	$(PNPM) install --frozen-lockfile
.PHONY: lib service tests install
