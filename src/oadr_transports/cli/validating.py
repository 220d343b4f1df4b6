import click
@click.command()
def validate(): pass
