import click
@click.command()
def vtn(): pass
