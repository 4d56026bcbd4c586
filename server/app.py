"""The coordinator's Flower app: settings in, trained and stored run out."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.conduct import conduct_run
from server.settings import parse_settings
from server.silo_exchange import SiloExchange

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    settings = parse_settings(dict(context.run_config))
    conduct_run(SiloExchange(grid, settings), settings)
