"""The pages: everything that a person needs, without the command line. They work without scripts, too."""

from fastapi import APIRouter

from espalier.app.server.pages import architectures, documentation, jobs, patterns, signing_in, submitting

router = APIRouter(include_in_schema=False)
for _part in (jobs, submitting, architectures, patterns, documentation, signing_in):
    router.include_router(_part.router)
