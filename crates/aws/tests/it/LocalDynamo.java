import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import org.eclipse.jetty.server.Server;

/** DynamoDB Local as its own main starts it, but for this machine only: by itself it listens on every address. */
public final class LocalDynamo {
    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer dynamo = ServerRunner.createServerFromCommandLineArgs(arguments);
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (var connector : ((Server) field.get(dynamo)).getConnectors()) {
            connector.setHost("127.0.0.1");
        }
        dynamo.start();
        dynamo.join();
    }
}
