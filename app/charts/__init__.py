"""Results as pictures: one definition for the page, reports, the command line and notebooks."""

from espalier.app.charts.figures import front as front
from espalier.app.charts.figures import tickets as tickets
