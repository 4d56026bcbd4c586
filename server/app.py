"""The coordinator's Flower app: settings in, trained and stored run out."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.conduct import conduct_run
from server.settings import parse_settings

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    conduct_run(grid, parse_settings(dict(context.run_config)))
