"""Results as pictures: one definition for the page, reports, the command line and notebooks."""

from espalier.app.charts.bars import bars as bars
from espalier.app.charts.figures import amount as amount
from espalier.app.charts.figures import compared as compared
from espalier.app.charts.figures import front as front
from espalier.app.charts.figures import kept as kept
from espalier.app.charts.figures import learners as learners
from espalier.app.charts.figures import learning as learning
from espalier.app.charts.figures import tickets as tickets
from espalier.app.charts.files import CannotSave as CannotSave
from espalier.app.charts.files import save as save
from espalier.app.charts.svg import Markup as Markup
